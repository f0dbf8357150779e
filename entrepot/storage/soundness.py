"""Whether a store is sound: links name content, tags name manifests, and of a manifest nothing is missing.

After its content was looked at, where what was wrong was put aside. Must not know where content could come from anew.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from entrepot.driver import Driver, LocalPaths, PathInvalid, PathNotFound
from entrepot.oci.descriptor import Descriptor, is_foreign
from entrepot.oci.digest import CANONICAL, ENCODED_LENGTH, Digest
from entrepot.oci.errors import BlobUnknown, DigestInvalid, ManifestUnknown
from entrepot.oci.manifest import references
from entrepot.oci.names import RepositoryName, Tag, is_tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.blobs import BlobStore
from entrepot.storage.catalog import page_of_names
from entrepot.storage.findings import Check, Finding, Unseen, checked, confirmed
from entrepot.storage.links import parse_link
from entrepot.storage.manifests import Manifests
from entrepot.storage.walk import as_digests

_BATCH = 1000


def _removable(text: str, link: str) -> str:
    # What it names may be there for whoever can look at it.
    return "" if isinstance(text, Unseen) else link


def _always(_: Descriptor) -> bool:
    return True


class Soundness:
    """Of one registry. `is_cached` of a repository: its content came from an upstream, and need not be complete.

    `needs` says which manifests of an index must be there; `pause` is in seconds.
    """

    def __init__(
        self,
        driver: Driver,
        local: LocalPaths,
        is_cached: Callable[[RepositoryName], bool],
        needs: Callable[[Descriptor], bool] = _always,
        pause: float = 0.5,
    ) -> None:
        self._driver = driver
        self._local = local
        self._is_cached = is_cached
        self._needs = needs
        self._pause = pause
        self._blobs = BlobStore(driver, local)
        self._manifests = Manifests(driver)
        self._unlisted: list[str] = []

    async def findings(self) -> AsyncIterator[Finding]:
        """What is wrong with links, tags and manifests, repository by repository."""
        page: Page[str] = Page((), more=True)
        passes_over = False
        while page.more:
            after = page.items[-1] if page.items else ""
            try:
                page = await page_of_names(self._driver, after, _BATCH, passes_over=passes_over)
            except PathInvalid as error:
                yield Finding(str(error))
                passes_over = True
                continue
            for text in page.items:
                name = RepositoryName(text)
                for stage in (self._links, self._referrers, self._tags, self._complete):
                    async for finding in stage(name):
                        yield finding
                for directory in self._unlisted:
                    yield Finding(f"{name}: {directory[1:]} is no directory, or is reached through a symbolic link")
                self._unlisted.clear()

    async def _confirmed(self, check: Check) -> str | None:
        return await confirmed(partial(checked, check), self._pause)

    async def _links(self, name: RepositoryName) -> AsyncIterator[Finding]:
        for directory, is_layer in ((layout.layers(name), True), (f"{layout.manifests(name)}/revisions", False)):
            build = layout.layer_link if is_layer else layout.revision_link
            async for digest in self._digests(directory):
                path = build(name, digest)
                check = partial(self._link, path, digest, is_layer)
                text = await self._confirmed(check)
                if text is not None:
                    kind = "blob" if is_layer else "manifest"
                    yield Finding(f"{name}: link to {kind} {digest}: {text}", link=_removable(text, path), check=check)

    async def _referrers(self, name: RepositoryName) -> AsyncIterator[Finding]:
        async for subject in self._digests(f"{layout.manifests(name)}/referrers"):
            async for referrer in self._digests(layout.referrers(name, subject)):
                path = layout.referrer_link(name, subject, referrer)
                check = partial(self._referrer, name, path, referrer)
                text = await self._confirmed(check)
                if text is not None:
                    link = _removable(text, path)
                    yield Finding(f"{name}: referrer {referrer} of {subject}: {text}", link=link, check=check)

    async def _link(self, path: str, digest: Digest, may_be_alias: bool) -> str | None:
        try:
            target = parse_link(await self._driver.get(path))
        except PathNotFound:
            return self._odd(path)
        except (DigestInvalid, PathInvalid):
            return "holds no digest"
        if target != digest and not (may_be_alias and target.algorithm == CANONICAL != digest.algorithm):
            return f"names {target}"
        return None if await self._blobs.has(target) else "names content that is not there"

    async def _referrer(self, name: RepositoryName, path: str, digest: Digest) -> str | None:
        try:
            await self._driver.get(path)
        except PathNotFound:
            return self._odd(path)  # a deletion leaves the directory
        return await self._manifest(name, digest)

    def _odd(self, path: str) -> str | None:
        """What is there though no file is."""
        try:
            mode = os.lstat(self._local.local_path(path)).st_mode
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            return "lies below a file"
        return None if stat.S_ISREG(mode) else "is no plain file"

    async def _manifest(self, name: RepositoryName, digest: Digest) -> str | None:
        return None if await self._manifests.has(name, digest) else "names a manifest that is not there"

    async def _tags(self, name: RepositoryName) -> AsyncIterator[Finding]:
        for text in await self._list(layout.tags(name)):
            if not is_tag(text):
                continue
            path = layout.tag_current(name, Tag(text))
            check = partial(self._tag, name, path)
            problem = await self._confirmed(check)
            if problem is not None:
                yield Finding(f"{name}: tag {text}: {problem}", link=_removable(problem, path), check=check)

    async def _tag(self, name: RepositoryName, path: str) -> str | None:
        try:
            target = parse_link(await self._driver.get(path))
        except PathNotFound:
            return self._odd(path)
        except (DigestInvalid, PathInvalid):
            return "holds no digest"
        problem = await self._manifest(name, target)
        return None if problem is None else f"names manifest {target}, which is not there"

    async def _complete(self, name: RepositoryName) -> AsyncIterator[Finding]:
        async for digest in self._digests(f"{layout.manifests(name)}/revisions"):
            # What has no link, or one to nothing, was told before.
            if await checked(partial(self._manifest, name, digest)) is not None:
                continue
            problem = await self._confirmed(partial(self._readable, name, digest))
            if problem is not None:
                yield Finding(f"{name}: manifest {digest}: {problem}")
                continue
            for text in await self._lacks(name, digest):
                yield Finding(f"{name}: manifest {digest}: {text}")

    async def _readable(self, name: RepositoryName, digest: Digest) -> str | None:
        try:
            await self._manifests.get(name, digest)
        except ManifestUnknown:
            return "is none" if await self._manifests.has(name, digest) else None
        return None

    async def _lacks(self, name: RepositoryName, digest: Digest) -> Sequence[str]:
        if self._is_cached(name):
            return []
        try:
            parsed = (await self._manifests.get(name, digest)).parsed
        except ManifestUnknown:
            return []  # deleted meanwhile
        blobs = [one.digest for one in references(parsed) if not is_foreign(one)]
        children = [one.digest for one in parsed.manifests if self._needs(one)]
        checks: list[tuple[str, Check]] = [
            *((f"lacks blob {one}", partial(self._blob, name, one)) for one in blobs),
            *((f"lacks manifest {one}", partial(self._manifest, name, one)) for one in children),
        ]
        missing = [text for text, check in checks if await self._confirmed(check) is not None]
        # Who deletes it, and then what it needs, leaves nothing that lacks anything.
        return missing if missing and await self._manifests.has(name, digest) else []

    async def _blob(self, name: RepositoryName, digest: Digest) -> str | None:
        try:
            await self._blobs.stat(name, digest)
        except BlobUnknown:
            return "is not there"
        return None

    async def _digests(self, directory: str) -> AsyncIterator[Digest]:
        for algorithm in ENCODED_LENGTH:
            for digest in as_digests(algorithm, await self._list(f"{directory}/{algorithm}")):
                yield digest

    async def _list(self, directory: str) -> Sequence[str]:
        try:
            return await self._driver.list(directory)
        except PathNotFound:
            return ()
        except PathInvalid:
            self._unlisted.append(directory)
            return ()
