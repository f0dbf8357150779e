"""The catalog: which repositories there are, found by walking the directories in Distribution's order."""

from __future__ import annotations

from entrepot.driver import Driver, PathInvalid, PathNotFound
from entrepot.oci.errors import NameInvalid
from entrepot.oci.names import RepositoryName
from entrepot.registry import Page
from entrepot.storage import layout

_BATCH = 256


async def page_of_names(driver: Driver, after: str, limit: int, *, passes_over: bool = True) -> Page[str]:
    """Names greater than `after`, compared segment by segment (`a/b` before `a-b`); `limit` at most.

    A repository is what holds `_layers` or `_manifests`. Only the directories that can hold a name of the page are
    read, and of each no more names at once than are needed. A symlink is passed over, or raises PathInvalid where
    `passes_over` is false; a file is always.
    """
    if limit <= 0:
        return Page((), more=False)
    walk = _Walk(driver, limit + 1, passes_over=passes_over)
    await walk.below("", after.split("/") if after else [])
    return Page(walk.found[:limit], len(walk.found) > limit)


class _Walk:
    """A depth-first walk that stops when it has found `wanted` names."""

    def __init__(self, driver: Driver, wanted: int, *, passes_over: bool) -> None:
        self._driver = driver
        self._wanted = wanted
        self._passes_over = passes_over
        self.found: list[str] = []

    async def below(self, parent: str, after: list[str]) -> None:
        """All names below `parent`, of which those up to the segments `after` are behind us."""
        last = after[0] if after else ""
        # The name itself is behind us, what lies below it may not be.
        if after and _is_name(_join(parent, last)):
            await self.below(_join(parent, last), after[1:])
        while len(self.found) < self._wanted:
            try:
                names = await self._driver.list(_path(parent), last, _BATCH)
            except PathNotFound:
                return
            except PathInvalid:
                await self._pass_over(_path(parent))
                return
            for name in names:
                # Not the registry's own `_layers` and the like, nor what somebody else has put there.
                if len(self.found) < self._wanted and _is_name(_join(parent, name)):
                    await self._visit(_join(parent, name))
            if len(names) < _BATCH:
                return
            last = names[-1]

    async def _visit(self, name: str) -> None:
        if await self._is_repository(name):
            self.found.append(name)
        await self.below(name, [])

    async def _is_repository(self, name: str) -> bool:
        for marker in (layout.MANIFESTS, layout.LAYERS):
            try:
                await self._driver.stat(f"{_path(name)}/{marker}")
            except PathNotFound:
                continue
            except PathInvalid:
                await self._pass_over(_path(name))
                continue
            return True
        return False

    async def _pass_over(self, path: str) -> None:
        if not self._passes_over and not (await self._driver.present([path]))[0]:
            raise PathInvalid(f"{path}: a symbolic link, or no directory")


def _is_name(text: str) -> bool:
    # It came from a client: nothing but a name may become a path, which also bounds how deep the walk goes.
    try:
        RepositoryName.parse(text)
    except NameInvalid:
        return False
    return True


def _join(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name


def _path(name: str) -> str:
    return _join(layout.REPOSITORIES, name) if name else layout.REPOSITORIES
