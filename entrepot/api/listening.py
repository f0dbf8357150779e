"""Tells a listener what requests have done: stands around a registry, to note it, and around the handlers, to tell.

What fails is no occurrence. Must not know what becomes of what is told.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Collection, Sequence
from contextvars import ContextVar
from dataclasses import replace

from entrepot.api.message import Request, Response
from entrepot.api.routes import Endpoint, Handler, Routes, Target
from entrepot.api.urls import Urls
from entrepot.content import Blob, Manifest, Select
from entrepot.listener import DELETE, MOUNT, PULL, PUSH, Asked, Listener, Occurrence
from entrepot.oci.descriptor import OCTET_STREAM, Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import references
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Outcome, Page, Registry, Repository, Upload, WritableRepository

_LONGEST = 512
_notes: ContextVar[list[Occurrence] | None] = ContextVar("notes", default=None)


def listening(routes: Routes, listener: Listener, urls: Urls) -> Routes:
    """The same routes over a `NotedRegistry`; what their handlers have done is told before they answer."""

    def around(handler: Handler) -> Handler:
        async def answer(request: Request, target: Target) -> Response:
            noted: list[Occurrence] = []
            _notes.set(noted)
            response = await handler(request, target)
            if noted:
                await listener.tell([_placed(one, request, urls) for one in noted], asked(request))
            return response

        return answer

    return {
        kind: {method: Endpoint(endpoint.action, around(endpoint.handler)) for method, endpoint in methods.items()}
        for kind, methods in routes.items()
    }


def _placed(occurrence: Occurrence, request: Request, urls: Urls) -> Occurrence:
    if occurrence.digest is None or occurrence.action == DELETE:
        return occurrence
    build = urls.blob if occurrence.media_type == OCTET_STREAM else urls.manifest
    return replace(occurrence, url=build(request, occurrence.name, occurrence.digest)[1])


def asked(request: Request) -> Asked:
    """What is told of a request; what it says of itself is cut to a length."""
    return Asked(
        id=request.id,
        client=_client(request),
        host=request.authority[:_LONGEST],
        method=request.method,
        agent=(request.headers.get("user-agent") or "")[:_LONGEST],
        user=request.grant.user,
    )


def _client(request: Request) -> str:
    # Distribution's order; whoever is not behind a proxy of his own can write what he likes.
    forwarded = (request.headers.get("x-forwarded-for") or "")[: 4 * _LONGEST].split(",")
    for text in (*forwarded, request.headers.get("x-real-ip") or ""):
        try:
            return str(ipaddress.ip_address(text.strip()))
        except ValueError:
            continue
    return request.client


def _note(occurrence: Occurrence) -> None:
    noted = _notes.get()
    if noted is not None:
        noted.append(occurrence)


class NotedRegistry:
    """A registry that notes what is done with its repositories for the request of the task that does it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def reader(self, name: RepositoryName) -> Repository:
        return _NotedReader(self._registry.reader(name), name)

    def writer(self, name: RepositoryName) -> WritableRepository:
        return _NotedWriter(self._registry.writer(name), name)

    async def catalog(self, after: str, limit: int) -> Page[str]:
        return await self._registry.catalog(after, limit)


class _NotedReader:
    def __init__(self, repository: Repository, name: RepositoryName) -> None:
        self._repository = repository
        self._name = name
        self._tag: Tag | None = None

    @property
    def outcome(self) -> Outcome | None:
        return self._repository.outcome

    async def resolve(self, tag: Tag) -> Digest:
        self._tag = tag
        return await self._repository.resolve(tag)

    async def manifest(self, digest: Digest) -> Manifest:
        manifest = await self._repository.manifest(digest)
        _note(_of_manifest(PULL, self._name, manifest, self._tag))
        return manifest

    async def stat_blob(self, digest: Digest) -> Descriptor:
        descriptor = await self._repository.stat_blob(digest)
        _note(_of_blob(PULL, self._name, descriptor))
        return descriptor

    async def open_blob(self, digest: Digest, select: Select | None = None) -> Blob:
        blob = await self._repository.open_blob(digest, select)
        _note(_of_blob(PULL, self._name, blob.descriptor))
        return blob

    async def tags(self, after: str, limit: int | None) -> Page[str]:
        return await self._repository.tags(after, limit)

    async def referrers(self, subject: Digest, artifact_type: str | None, after: str, limit: int) -> Page[Descriptor]:
        return await self._repository.referrers(subject, artifact_type, after, limit)


class _NotedWriter(_NotedReader):
    def __init__(self, repository: WritableRepository, name: RepositoryName) -> None:
        super().__init__(repository, name)
        self._writable = repository

    async def start_upload(self, algorithm: str) -> Upload:
        return _NotedUpload(await self._writable.start_upload(algorithm), self._name)

    async def resume_upload(self, upload_id: str) -> Upload:
        return _NotedUpload(await self._writable.resume_upload(upload_id), self._name)

    async def mount(self, digest: Digest, source: RepositoryName | None) -> Descriptor | None:
        descriptor = await self._writable.mount(digest, source)
        if descriptor is not None:
            _note(replace(_of_blob(MOUNT, self._name, descriptor), source=source))
        return descriptor

    async def put_manifest(
        self,
        content: bytes,
        declared: str | None,
        reference: Tag | Digest,
        tags: Sequence[Tag],
        classes: Collection[str] | None = None,
    ) -> Manifest:
        manifest = await self._writable.put_manifest(content, declared, reference, tags, classes)
        named = (*((reference,) if isinstance(reference, Tag) else ()), *tags)
        for tag in named or (None,):
            _note(_of_manifest(PUSH, self._name, manifest, tag))
        return manifest

    async def delete_manifest(self, digest: Digest) -> Sequence[Tag]:
        tags = await self._writable.delete_manifest(digest)
        _note(Occurrence(DELETE, self._name, digest))
        for tag in tags:
            _note(Occurrence(DELETE, self._name, tag=tag))
        return tags

    async def untag(self, tag: Tag) -> None:
        await self._writable.untag(tag)
        _note(Occurrence(DELETE, self._name, tag=tag))

    async def delete_blob(self, digest: Digest) -> None:
        await self._writable.delete_blob(digest)
        _note(Occurrence(DELETE, self._name, digest))


class _NotedUpload:
    def __init__(self, upload: Upload, name: RepositoryName) -> None:
        self._upload = upload
        self._name = name

    @property
    def id(self) -> str:
        return self._upload.id

    @property
    def started_at(self) -> str:
        return self._upload.started_at

    async def offset(self) -> int:
        return await self._upload.offset()

    async def append(self, chunks: AsyncIterator[bytes], at: int, length: int | None) -> int:
        return await self._upload.append(chunks, at, length)

    async def commit(self, digest: Digest, chunks: AsyncIterator[bytes], at: int, length: int | None) -> Descriptor:
        descriptor = await self._upload.commit(digest, chunks, at, length)
        _note(_of_blob(PUSH, self._name, descriptor))
        return descriptor

    async def cancel(self) -> None:
        await self._upload.cancel()


def _of_blob(action: str, name: RepositoryName, descriptor: Descriptor) -> Occurrence:
    return Occurrence(action, name, descriptor.digest, OCTET_STREAM, descriptor.size)


def _of_manifest(action: str, name: RepositoryName, manifest: Manifest, tag: Tag | None) -> Occurrence:
    named = (*references(manifest.parsed), *manifest.parsed.manifests)
    return Occurrence(
        action, name, manifest.digest, manifest.media_type, len(manifest.content), tag, references=tuple(named)
    )
