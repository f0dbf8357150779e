"""Manifests over HTTP for clients of Docker before 1.10: schema 1 is taken and given, and schema 2 converted to it.

As Distribution 2.x did by its own account of types: what a client does not name in `Accept`, and only by its full name,
it does not know. Stands around the plain handlers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

from entrepot.api.manifests import ManifestHandlers, declared_type, manifest_response, read_manifest_body
from entrepot.api.message import Request, Response
from entrepot.api.routes import Target
from entrepot.api.sending import arriving, close
from entrepot.content import Body, Bytes, GrowingFile, LocalFile, Manifest, Redirect, Stream
from entrepot.oci.descriptor import DOCKER_LIST, DOCKER_MANIFEST, SCHEMA1, SCHEMA1_SIGNED
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, ManifestInvalid, ManifestUnknown, Unsupported
from entrepot.oci.manifest import MANIFEST_LIMIT
from entrepot.oci.names import RepositoryName, Tag, parse_reference
from entrepot.registry import Registry, Repository
from entrepot.schema1.conversion import EMPTY_DIGEST, EMPTY_LAYER, convert
from entrepot.schema1.jws import payload_of
from entrepot.schema1.signing import Signer

_TOO_LARGE = "the image's configuration is too large"

_PLATFORM = ("linux", "amd64")
"""Of an index's manifests the one that clients which know no index get."""


class Schema1Handlers:
    """`plain`, for clients of any age."""

    def __init__(self, plain: ManifestHandlers, registry: Registry, signer: Signer) -> None:
        self._plain = plain
        self._registry = registry
        self._signer = signer

    async def get(self, request: Request, target: Target, repository: Repository) -> Response:
        reference = parse_reference(target.argument)
        if isinstance(reference, Digest):
            return self._answer(request, await repository.manifest(reference))
        manifest = await repository.manifest(await repository.resolve(reference))
        known = _accepted(request)
        if manifest.media_type == DOCKER_LIST and DOCKER_LIST not in known:
            manifest = await _child(repository, manifest)
        if manifest.media_type == DOCKER_MANIFEST and DOCKER_MANIFEST not in known:
            return self._signed(request, await self._converted(repository, target, reference, manifest))
        return self._answer(request, manifest)

    async def put(self, request: Request, target: Target) -> Response:
        content, declared = await read_manifest_body(request), declared_type(request)
        if declared in SCHEMA1 or (declared in (None, "application/json") and _is_schema1(content)):
            content, declared = await asyncio.to_thread(payload_of, content), SCHEMA1_SIGNED
            _check_name(content)
        return await self._plain.store(request, target, content, declared)

    async def delete(self, request: Request, target: Target) -> Response:
        return await self._plain.delete(request, target)

    def _answer(self, request: Request, manifest: Manifest) -> Response:
        if manifest.media_type not in SCHEMA1:
            return manifest_response(request, manifest.digest, manifest.media_type, manifest.content)
        return self._signed(request, manifest.content)

    def _signed(self, request: Request, payload: bytes) -> Response:
        # The digest is that of the payload: signatures, which hold a time, are never the same twice.
        return manifest_response(request, Digest.of(payload), SCHEMA1_SIGNED, self._signer.sign(payload))

    async def _converted(self, repository: Repository, target: Target, tag: Tag, manifest: Manifest) -> bytes:
        if manifest.parsed.config is None:
            raise ManifestInvalid("an image without a configuration cannot be converted to schema 1")
        try:
            config = await _read_whole((await repository.open_blob(manifest.parsed.config.digest)).body)
        except BlobUnknown as error:
            raise ManifestInvalid(f"the image's configuration is not there: {error.detail}") from None
        layers = [layer.digest for layer in manifest.parsed.layers]
        payload = await asyncio.to_thread(convert, config, layers, target.asked or target.name, tag)
        if EMPTY_DIGEST.encode() in payload:
            await self._provide_empty_layer(repository, target.name)
        return payload

    async def _provide_empty_layer(self, repository: Repository, name: RepositoryName) -> None:
        try:
            await repository.stat_blob(EMPTY_DIGEST)
        except BlobUnknown:
            try:
                upload = await self._registry.writer(name).start_upload(EMPTY_DIGEST.algorithm)
            except Unsupported:
                raise ManifestInvalid("the layer that schema 1 needs for steps without one is not there") from None
            await upload.commit(EMPTY_DIGEST, _only(EMPTY_LAYER), 0, len(EMPTY_LAYER))


def _accepted(request: Request) -> set[str]:
    lines = request.headers.get_all("accept")
    return {one.split(";", 1)[0].strip() for line in lines for one in line.split(",")}


async def _child(repository: Repository, index: Manifest) -> Manifest:
    for child in index.parsed.manifests:
        if child.platform == _PLATFORM:
            return await repository.manifest(child.digest)
    raise ManifestUnknown("the list has no manifest for linux/amd64, and the client knows no lists")


def _is_schema1(content: bytes) -> bool:
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(members, dict) and members.get("schemaVersion") == 1


def _check_name(payload: bytes) -> None:
    name = json.loads(payload).get("name")
    RepositoryName.parse(name if isinstance(name, str) else "")


async def _read_whole(body: Body) -> bytes:
    if isinstance(body, Bytes):
        return body.content
    if isinstance(body, LocalFile):
        return await asyncio.to_thread(_read_file, body.path)
    if isinstance(body, Redirect):
        raise ManifestInvalid("the image's configuration is not here")
    try:
        return await _read_arriving(body)
    finally:
        await close(body)


def _read_file(path: str) -> bytes:
    with Path(path).open("rb") as file:
        content = file.read(MANIFEST_LIMIT + 1)
    if len(content) > MANIFEST_LIMIT:
        raise ManifestInvalid(_TOO_LARGE)
    return content


async def _read_arriving(body: Stream | GrowingFile) -> bytes:
    if body.length > MANIFEST_LIMIT:
        raise ManifestInvalid(_TOO_LARGE)
    content = b"".join([chunk async for chunk in arriving(body)])
    if len(content) != body.length:
        raise ManifestInvalid("the image's configuration has not come whole")
    return content


async def _only(content: bytes) -> AsyncIterator[bytes]:
    yield content
