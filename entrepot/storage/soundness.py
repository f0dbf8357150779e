"""Whether a store is sound: content hashes to its name, links name content, tags name manifests, nothing is missing.

What looks wrong is looked at again a moment later, so that a registry may be serving, and written to, meanwhile. Needs
local files. Must not know where content could come from anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from entrepot.driver import Driver, LocalPaths, PathInvalid, PathNotFound
from entrepot.oci.descriptor import is_foreign
from entrepot.oci.digest import CANONICAL, ENCODED_LENGTH, Digest
from entrepot.oci.errors import BlobUnknown, DigestInvalid, ManifestUnknown
from entrepot.oci.manifest import references
from entrepot.oci.names import RepositoryName, Tag, is_tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.blobs import BlobStore
from entrepot.storage.catalog import page_of_names
from entrepot.storage.contents import contents
from entrepot.storage.links import parse_link
from entrepot.storage.manifests import Manifests

_BATCH = 1000
_AT_ONCE = 2
"""Files that are hashed at the same time."""

Check = Callable[[], Awaitable[str | None]]
"""Says what is wrong with one thing; None: nothing, or it is gone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`text` names it in full. What can be done is to put `content` aside, or to remove the `link`; else nothing."""

    text: str
    content: Digest | None = None
    link: str = ""


class Soundness:
    """Of one registry. `is_cached` of a repository: its content came from an upstream, and need not be complete.

    `passed` is told the bytes of each content that was read; `pause` is in seconds.
    """

    def __init__(
        self,
        driver: Driver,
        local: LocalPaths,
        is_cached: Callable[[RepositoryName], bool],
        passed: Callable[[int], None],
        pause: float = 0.5,
    ) -> None:
        self._driver = driver
        self._local = local
        self._is_cached = is_cached
        self._passed = passed
        self._pause = pause
        self._blobs = BlobStore(driver, local)
        self._manifests = Manifests(driver)

    async def size(self) -> int:
        """Bytes of all content, as far as it can be known."""
        total = 0
        async for digests in contents(self._driver, _BATCH):
            for digest in digests:
                with suppress(PathNotFound, PathInvalid):
                    total += (await self._driver.stat(layout.blob_data(digest))).size
        return total

    async def contents(self) -> AsyncIterator[Finding]:
        """What is wrong with content, whoever needs it."""
        async for digests in contents(self._driver, _BATCH):
            for start in range(0, len(digests), _AT_ONCE):
                some = digests[start : start + _AT_ONCE]
                found = await asyncio.gather(*(self._confirmed(partial(self._content, digest)) for digest in some))
                for digest, text in zip(some, found, strict=True):
                    if text is not None:
                        yield Finding(f"{digest}: {text}", content=digest)

    async def repositories(self) -> AsyncIterator[Finding]:
        """What is wrong with links, tags and manifests. After `contents`, where what was wrong was put aside."""
        page: Page[str] = Page((), more=True)
        while page.more:
            page = await page_of_names(self._driver, page.items[-1] if page.items else "", _BATCH)
            for text in page.items:
                name = RepositoryName(text)
                async for finding in self._links(name):
                    yield finding
                async for finding in self._tags(name):
                    yield finding
                async for finding in self._complete(name):
                    yield finding

    async def _confirmed(self, check: Check) -> str | None:
        if await check() is None:
            return None
        await asyncio.sleep(self._pause)
        return await check()

    async def _content(self, digest: Digest) -> str | None:
        path = layout.blob_data(digest)
        try:
            if (await self._driver.stat(path)).is_directory:
                return "is a directory"
        except PathNotFound:
            return None
        except PathInvalid:
            return "is no plain file, or is reached through a symbolic link"
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return await asyncio.to_thread(self._hash, self._local.local_path(path), digest)

    def _hash(self, path: str, digest: Digest) -> str | None:
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return "is no plain file"
                actual = hashlib.file_digest(file, digest.algorithm).hexdigest()
                size = file.tell()
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        self._passed(size)
        return None if actual == digest.encoded else f"holds other content, which is {digest.algorithm}:{actual}"

    async def _links(self, name: RepositoryName) -> AsyncIterator[Finding]:
        for directory, is_layer in ((layout.layers(name), True), (f"{layout.manifests(name)}/revisions", False)):
            build = layout.layer_link if is_layer else layout.revision_link
            async for digest in self._digests(directory):
                path = build(name, digest)
                text = await self._confirmed(partial(self._link, path, digest, is_layer))
                if text is not None:
                    kind = "blob" if is_layer else "manifest"
                    yield Finding(f"{name}: link to {kind} {digest}: {text}", link=path)
        async for subject in self._digests(f"{layout.manifests(name)}/referrers"):
            async for referrer in self._digests(layout.referrers(name, subject)):
                if await self._confirmed(partial(self._manifest, name, referrer)) is not None:
                    path = layout.referrer_link(name, subject, referrer)
                    yield Finding(f"{name}: referrer {referrer} of {subject}: is not there", link=path)

    async def _link(self, path: str, digest: Digest, may_be_alias: bool) -> str | None:
        try:
            target = parse_link(await self._driver.get(path))
        except PathNotFound:
            return None
        except (DigestInvalid, PathInvalid):
            return "holds no digest"
        if target != digest and not (may_be_alias and target.algorithm == CANONICAL != digest.algorithm):
            return f"names {target}"
        return None if await self._blobs.has(target) else "names content that is not there"

    async def _manifest(self, name: RepositoryName, digest: Digest) -> str | None:
        return None if await self._manifests.has(name, digest) else "names a manifest that is not there"

    async def _tags(self, name: RepositoryName) -> AsyncIterator[Finding]:
        for text in await self._list(layout.tags(name)):
            if not is_tag(text):
                continue
            path = layout.tag_current(name, Tag(text))
            problem = await self._confirmed(partial(self._tag, name, path))
            if problem is not None:
                yield Finding(f"{name}: tag {text}: {problem}", link=path)

    async def _tag(self, name: RepositoryName, path: str) -> str | None:
        try:
            target = parse_link(await self._driver.get(path))
        except PathNotFound:
            return None
        except (DigestInvalid, PathInvalid):
            return "holds no digest"
        problem = await self._manifest(name, target)
        return None if problem is None else f"names manifest {target}, which is not there"

    async def _complete(self, name: RepositoryName) -> AsyncIterator[Finding]:
        async for digest in self._digests(f"{layout.manifests(name)}/revisions"):
            if not await self._manifests.has(name, digest):
                continue
            for text in await self._lacks(name, digest):
                yield Finding(f"{name}: manifest {digest}: {text}")

    async def _lacks(self, name: RepositoryName, digest: Digest) -> Sequence[str]:
        try:
            parsed = (await self._manifests.get(name, digest)).parsed
        except ManifestUnknown:
            return ["is none"]
        if self._is_cached(name):
            return []
        blobs = [one.digest for one in references(parsed) if not is_foreign(one)]
        children = [one.digest for one in parsed.manifests]
        checks: list[tuple[str, Check]] = [
            *((f"lacks blob {one}", partial(self._blob, name, one)) for one in blobs),
            *((f"lacks manifest {one}", partial(self._manifest, name, one)) for one in children),
        ]
        return [text for text, check in checks if await self._confirmed(check) is not None]

    async def _blob(self, name: RepositoryName, digest: Digest) -> str | None:
        try:
            await self._blobs.stat(name, digest)
        except BlobUnknown:
            return "is not there"
        return None

    async def _digests(self, directory: str) -> AsyncIterator[Digest]:
        for algorithm in ENCODED_LENGTH:
            for text in await self._list(f"{directory}/{algorithm}"):
                with suppress(DigestInvalid):
                    yield Digest.parse(f"{algorithm}:{text}")

    async def _list(self, directory: str) -> Sequence[str]:
        try:
            return await self._driver.list(directory)
        except (PathNotFound, PathInvalid):
            return ()
