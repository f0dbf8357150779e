"""Uploads over HTTP: POST of `/v2/<name>/blobs/uploads/`, and GET, PATCH, PUT and DELETE of what it answers with."""

from __future__ import annotations

from contextlib import suppress

from entrepot.api.message import Request, Response, empty_response
from entrepot.api.routes import Target
from entrepot.api.state import StateSigner, UploadState
from entrepot.api.urls import Urls
from entrepot.auth.base import REPOSITORY, Access, Grant
from entrepot.driver import NoSpace
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import CANONICAL, Digest, parse_algorithm
from entrepot.oci.errors import (
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadMalformed,
    BlobUploadUnknown,
    DigestInvalid,
    NameInvalid,
    RegistryError,
    SizeInvalid,
)
from entrepot.oci.names import RepositoryName
from entrepot.registry import Registry, Upload, WritableRepository
from entrepot.wire.ranges import Malformed, format_upload_range, parse_content_range


class UploadHandlers:
    def __init__(self, registry: Registry, urls: Urls, signer: StateSigner) -> None:
        self._registry = registry
        self._urls = urls
        self._signer = signer

    async def start(self, request: Request, target: Target) -> Response:
        repository = self._registry.writer(target.name)
        mounted = await _mount(request, repository)
        if mounted is not None:
            return self._created(request, target, mounted)
        algorithm = request.parameter("digest-algorithm")
        digest = _whole_digest(request)
        if digest is not None:
            return await self._whole(request, target, repository, digest)
        upload = await repository.start_upload(parse_algorithm(algorithm) if algorithm else CANONICAL)
        return self._progress(202, request, target, upload, 0)

    async def status(self, request: Request, target: Target) -> Response:
        upload = await self._registry.writer(target.name).resume_upload(target.argument)
        return self._progress(204, request, target, upload, await upload.offset())

    async def append(self, request: Request, target: Target) -> Response:
        at, length = self._position(request, target)
        upload = await self._registry.writer(target.name).resume_upload(target.argument)
        offset = await upload.append(request.body(), at, length)
        return self._progress(202, request, target, upload, offset)

    async def commit(self, request: Request, target: Target) -> Response:
        digest = _digest(request)
        at, length = self._position(request, target)
        try:
            upload = await self._registry.writer(target.name).resume_upload(target.argument)
            descriptor = await upload.commit(digest, request.body(), at, length)
        except BlobUploadUnknown:
            # The answer to the first try may have been lost on its way.
            descriptor = await self._committed(target, digest)
        return self._created(request, target, descriptor)

    async def cancel(self, request: Request, target: Target) -> Response:
        self._state(request, target)
        upload = await self._registry.writer(target.name).resume_upload(target.argument)
        await upload.cancel()
        return Response(204, [("docker-upload-uuid", upload.id)])

    async def _whole(
        self, request: Request, target: Target, repository: WritableRepository, digest: Digest
    ) -> Response:
        upload = await repository.start_upload(digest.algorithm)
        try:
            descriptor = await upload.commit(digest, request.body(), 0, None)
        except BaseException:
            # The client was never told where it is, so nobody can go on with it.
            with suppress(RegistryError, OSError, NoSpace):
                await upload.cancel()
            raise
        return self._created(request, target, descriptor)

    async def _committed(self, target: Target, digest: Digest) -> Descriptor:
        try:
            return await self._registry.reader(target.name).stat_blob(digest)
        except BlobUnknown:
            raise BlobUploadUnknown(target.argument[:64]) from None

    def _state(self, request: Request, target: Target) -> UploadState:
        token = request.parameter("_state")
        if token is None:
            raise BlobUploadInvalid
        return self._signer.verify(token, target.name, target.argument)

    def _position(self, request: Request, target: Target) -> tuple[int, int | None]:
        """Where the client believes to write, and how much: by its Content-Range, or else by the location it uses."""
        state = self._state(request, target)
        given = request.headers.get_all("content-range")
        if not given:
            return state.offset, None
        if len(given) > 1:
            raise BlobUploadMalformed("Content-Range is given more than once")
        try:
            span = parse_content_range(given[0])
        except Malformed as error:
            raise BlobUploadMalformed(str(error)) from None
        if request.content_length not in (None, len(span)):
            raise SizeInvalid(f"Content-Length is {request.content_length}, Content-Range says {len(span)}")
        return span.start, len(span)

    def _location(self, request: Request, target: Target, upload: Upload, offset: int) -> tuple[str, str]:
        state = self._signer.sign(UploadState(target.name, upload.id, offset, upload.started_at))
        return self._urls.upload(request, target.name, upload.id, state)

    def _progress(self, status: int, request: Request, target: Target, upload: Upload, offset: int) -> Response:
        headers = [
            self._location(request, target, upload, offset),
            ("range", format_upload_range(offset)),
            ("docker-upload-uuid", upload.id),
        ]
        return Response(204, headers) if status == 204 else empty_response(status, headers)

    def _created(self, request: Request, target: Target, descriptor: Descriptor) -> Response:
        location = self._urls.blob(request, target.name, descriptor.digest)
        return empty_response(201, [location, ("docker-content-digest", descriptor.digest)])


def _whole_digest(request: Request) -> Digest | None:
    """What a POST brings as a whole; None where it brings nothing: old clients name the digest and send it later."""
    text = request.parameter("digest")
    if text is None:
        return None
    digest = Digest.parse(text)
    return digest if request.has_body or digest == Digest.of(b"", digest.algorithm) else None


def _digest(request: Request) -> Digest:
    text = request.parameter("digest")
    if text is None:
        raise DigestInvalid("digest missing")
    return Digest.parse(text)


async def _mount(request: Request, repository: WritableRepository) -> Descriptor | None:
    # Whatever is wrong with a mount, the client uploads instead: that is the spec's answer, and it tells nothing.
    mount = request.parameter("mount")
    if not mount:
        return None
    source = request.parameter("from")
    try:
        digest = Digest.parse(mount)
        if source or request.grant.resources is None:
            return await repository.mount(digest, RepositoryName.parse(source) if source else None)
        return await _mount_from_any(repository, digest, request.grant)
    except (DigestInvalid, NameInvalid):
        return None


async def _mount_from_any(repository: WritableRepository, digest: Digest, grant: Grant) -> Descriptor | None:
    """From one of the repositories that the client may read, and from no other."""
    for kind, name in grant.resources or ():
        if kind == REPOSITORY and grant.allows(Access(kind, name, "pull")):
            mounted = await repository.mount(digest, RepositoryName.parse(name))
            if mounted is not None:
                return mounted
    return None
