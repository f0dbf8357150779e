"""The catalog: every repository once, in Distribution's order, whatever a client sends as the last name it saw."""

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot.driver import Driver, Entry
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.guarded import Guarded
from entrepot.drivers.memory import MemoryDriver
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.catalog import page_of_names
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules

# In the order of the catalog: segment by segment, so that what is below a name follows it at once.
NAMES = [
    "a",
    "a/b",
    "a/b/c",
    "a/b/c/d/e/f/g",
    "a/b0",
    "a/blobs/uploads",
    "a-b",
    "a-b/c",
    "a.b",
    "a0",
    "a_b/only/below",
    "aa",
    "b/a",
    "manifests/tags/list",
    "z",
]
UNKNOWN = ["", "0", "a/a", "a/b/c/d", "a/b/c/e", "a/bb", "a-", "a-a", "a/b/", "a.b/c", "b", "b/a/a", "y", "z/z", "zz"]
HOSTILE = [
    "../..",
    "..",
    ".",
    "/",
    "//",
    "a//b",
    "/a",
    "a/../b",
    "a/_manifests",
    "_",
    "a/_layers/sha256",
    "A",
    "a b",
    "a\0",
    "é",
    "\udc80",
    "%2e%2e",
    "~",
    "a/" * 4000 + "a",
    "a/b/" + "/".join(["c" * 255] * 20),
    "x" * 8000,
    "/" * 8000,
]


def following(after: str) -> list[str]:
    """What the catalog of NAMES must hold after a name."""
    return [name for name in NAMES if name.split("/") > (after.split("/") if after else [])]


@pytest.fixture(scope="module")
def filled_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """All NAMES on files, which no test changes."""
    root = tmp_path_factory.mktemp("filled")
    for name, marker in _markers():
        (root / f"{layout.REPOSITORIES[1:]}/{name}/{marker}").mkdir(parents=True)
    driver = FilesystemDriver(str(root))
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def filled_memory() -> Driver:
    """All NAMES in memory."""
    driver = Guarded(MemoryDriver())

    async def fill() -> None:
        for name, marker in _markers():
            await driver.put(f"{layout.REPOSITORIES}/{name}/{marker}/x/link", b"")

    asyncio.run(fill())
    return driver


def _markers() -> Iterator[tuple[str, str]]:
    for name, markers in zip(NAMES, [("_layers",), ("_manifests",), ("_layers", "_manifests")] * 5, strict=True):
        for marker in markers:
            yield name, marker


@pytest.fixture(params=["files", "memory"])
def filled(request: pytest.FixtureRequest) -> Driver:
    """A store with all NAMES, of which some have manifests, some layers, some both."""
    found: Driver = request.getfixturevalue(f"filled_{request.param}")
    return found


@pytest.mark.parametrize("after", [*NAMES, *UNKNOWN])
async def test_a_page_is_what_follows_the_last_name(filled: Driver, after: str) -> None:
    """Strictly after it, whether or not it is there."""
    expected = following(after)

    for limit in (1, 2, 7, len(NAMES), 1000):
        assert await page_of_names(filled, after, limit) == Page(expected[:limit], more=len(expected) > limit)


@pytest.mark.parametrize("after", HOSTILE, ids=lambda text: ascii(text)[:20])
async def test_nothing_that_a_client_sends_leads_out_of_the_tree(filled: Driver, after: str) -> None:
    """What is no name still has its place in the order; no path is made of it, and nothing fails."""
    expected = following(after)

    for limit in (1, 1000):
        assert await page_of_names(filled, after, limit) == Page(expected[:limit], more=len(expected) > limit)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 14, 15, 16])
async def test_all_pages_together_are_all_names_once(filled: Driver, limit: int) -> None:
    """Whoever follows them sees every repository, also one whose name begins another's."""
    found: list[str] = []
    page: Page[str] = Page((), more=True)
    while page.more:
        page = await page_of_names(filled, found[-1] if found else "", limit)
        found += page.items

    assert found == NAMES


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_page_of_nothing_is_empty(filled: Driver, limit: int) -> None:
    """And claims nothing of what follows."""
    assert await page_of_names(filled, "", limit) == Page((), more=False)


async def test_a_registry_without_repositories_has_an_empty_catalog(registry: LocalRegistry) -> None:
    """Also before anything was ever stored."""
    for after in ("", "a", "a/b"):
        assert await registry.catalog(after, 10) == Page([], more=False)


async def test_names_are_only_looked_at_until_the_page_is_full(tmp_path: Path) -> None:
    """A thousand repositories more than a page cost no look into each of them."""
    driver = Counting(str(tmp_path))
    for number in range(1000):
        (tmp_path / f"{layout.REPOSITORIES[1:]}/r{number:04}/_layers").mkdir(parents=True)

    page = await page_of_names(driver, "r0100", 10)

    assert page == Page([f"r{number:04}" for number in range(101, 111)], more=True)
    assert driver.asked < 60
    driver.close()


async def test_directories_of_more_names_than_are_read_at_once_are_complete(tmp_path: Path) -> None:
    """Also where a page ends in the middle of one, and the next begins there."""
    names = [f"r{number:04}" for number in random.sample(range(10_000), 700)]
    for name in names:
        (tmp_path / f"{layout.REPOSITORIES[1:]}/{name}/_manifests").mkdir(parents=True)
    driver = FilesystemDriver(str(tmp_path))
    registry = LocalRegistry(driver, driver, Rules())

    first = await registry.catalog("", 300)
    rest = await registry.catalog(first.items[-1], 1000)

    assert (first.more, rest.more) == (True, False)
    assert [*first.items, *rest.items] == sorted(names)
    driver.close()


def _file(path: Path) -> None:
    path.write_bytes(b"")


def _link(path: Path) -> None:
    path.symlink_to("/")


def _loop(path: Path) -> None:
    path.symlink_to(path.parent)


@pytest.mark.parametrize("plant", [_file, _link, _loop])
@pytest.mark.parametrize("name", ["0", "b", "_x", "UPPER", "z"])
async def test_what_is_no_repository_is_passed_over(
    files: FilesystemDriver, root: Path, plant: Callable[[Path], None], name: str
) -> None:
    """Files and symlinks that another program left among the repositories neither fail the list nor lead it astray."""
    for repository in ("a", "y"):
        (root / layout.REPOSITORIES[1:] / repository / "_layers").mkdir(parents=True)
    plant(root / layout.REPOSITORIES[1:] / name)
    plant(root / layout.REPOSITORIES[1:] / "a" / name)

    assert await page_of_names(files, "", 100) == Page(["a", "y"], more=False)
    assert await page_of_names(files, name, 100) == Page([one for one in ("a", "y") if one > name], more=False)


class Counting(FilesystemDriver):
    """Counts how often a path is asked for."""

    asked = 0

    async def stat(self, path: str) -> Entry:
        self.asked += 1
        return await super().stat(path)
