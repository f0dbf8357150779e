"""Tags: listed in order, page by page, where they name something now; moved and removed without touching another."""

import asyncio
from collections.abc import Iterator

import pytest

from entrepot.driver import Driver
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.memory import MemoryDriver
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestUnknown, NameUnknown
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.links import read_link, write_link
from entrepot.storage.local import LocalRegistry
from entrepot.storage.tags import Tags
from entrepot.storage.validation import Rules
from entrepot.testing.images import image
from entrepot.testing.registry_contents import push

APP = RepositoryName.parse("library/app")
ONE, TWO = Digest.of(b"one"), Digest.of(b"two", "sha512")
NAMES = sorted(["1", "10", "2", "A", "Z", "_x", "a", "a-b", "a.b", "a0", "a_b", "latest", "v1.0.0", "x" * 128])
BETWEEN = ["", "0", "15", "B", "a/", "lates", "latest\0", "latestt", "../..", "a//b", "é", "\udc80", "~", "z" * 5000]


@pytest.fixture
def tags(driver: Driver) -> Tags:
    """The tags of an empty store."""
    return Tags(driver)


@pytest.fixture(scope="module")
def named_in_memory() -> Tags:
    """All NAMES, which no test changes."""
    tags = Tags(MemoryDriver())
    asyncio.run(set_all(tags, *NAMES))
    return tags


@pytest.fixture(scope="module")
def named_on_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tags]:
    """The same on files."""
    driver = FilesystemDriver(str(tmp_path_factory.mktemp("named")))
    tags = Tags(driver)
    asyncio.run(set_all(tags, *NAMES))
    yield tags
    driver.close()


@pytest.fixture(params=["in_memory", "on_files"])
def named(request: pytest.FixtureRequest) -> Tags:
    """A repository with all NAMES for tags."""
    found: Tags = request.getfixturevalue(f"named_{request.param}")
    return found


async def set_all(tags: Tags, *names: str, digest: Digest = ONE) -> None:
    """Point every name at the digest."""
    for name in names:
        await tags.set(APP, Tag.parse(name), digest)


async def test_a_tag_moves_and_its_history_stays(tags: Tags, driver: Driver) -> None:
    """What it ever named is kept as Distribution keeps it, for its collection to clean up."""
    for digest in (ONE, TWO, ONE):
        await set_all(tags, "latest", digest=digest)
        assert await tags.resolve(APP, Tag("latest")) == digest

    for digest in (ONE, TWO):
        assert await read_link(driver, layout.tag_index(APP, Tag("latest"), digest)) == digest


async def test_a_tag_of_a_cache_has_no_history(tags: Tags, driver: Driver) -> None:
    """What it names now stands in it, as Distribution wants it, and nothing that could outlive what it named."""
    for digest in (ONE, TWO, ONE, ONE):
        await tags.move(APP, Tag("latest"), digest)

        assert await tags.resolve(APP, Tag("latest")) == digest
        history = [layout.tag_index(APP, Tag("latest"), known) for known in (ONE, TWO)]
        assert list(await driver.present(history)) == [digest == ONE, digest == TWO]


@pytest.mark.parametrize("after", [*NAMES, *BETWEEN], ids=lambda text: ascii(text)[:20])
async def test_a_page_is_what_follows_the_last_name(named: Tags, after: str) -> None:
    """In code point order, strictly after it, whether or not there is a tag of that name, or could be one."""
    following = [name for name in NAMES if name > after]

    for limit in (1, 2, 5, *range(len(NAMES) - 1, len(NAMES) + 2)):
        assert await named.page(APP, after, limit) == Page(following[:limit], more=len(following) > limit)
    assert await named.page(APP, after, None) == Page(following, more=False)


async def test_all_pages_together_are_all_tags_once(tags: Tags) -> None:
    """Whoever follows them sees every tag, also those that are set and removed meanwhile on pages to come."""
    await set_all(tags, *(f"v{number:03}" for number in range(100)))
    found: list[str] = []
    page: Page[str] = Page((), more=True)
    while page.more:
        page = await tags.page(APP, found[-1] if found else "", 7)
        found += page.items
        if len(found) == 14:
            await tags.delete(APP, Tag("v050"))
            await set_all(tags, "v099a")

    assert found == [f"v{number:03}" for number in range(100) if number != 50] + ["v099a"]


class SetMeanwhile(MemoryDriver):
    """Another client sets the tag anew in the middle of its deletion."""

    tags: Tags | None = None

    async def delete(self, path: str) -> None:
        await super().delete(path)
        tags, self.tags = self.tags, None
        if tags is not None:
            await tags.set(APP, Tag("a"), TWO)


async def test_a_tag_that_is_set_while_it_is_deleted_stays() -> None:
    """Whoever was told that it is there finds it."""
    driver = SetMeanwhile()
    tags = Tags(driver)
    await set_all(tags, "a")
    driver.tags = tags

    assert await tags.drop(APP, ONE) == ["a"]
    assert await tags.resolve(APP, Tag("a")) == TWO


async def test_a_push_whose_tag_is_deleted_meanwhile_sets_it_again() -> None:
    """By the deletion of what it named before."""

    class DeletedMeanwhile(MemoryDriver):
        done = False

        async def put(self, path: str, content: bytes) -> None:
            await super().put(path, content)
            if path.endswith("tags/a/current/link") and not self.done:
                self.done = True
                await self.delete(layout.tag(APP, Tag("a")))

    registry = LocalRegistry(DeletedMeanwhile(), None, Rules())
    made = image(1)
    await push(registry.writer(APP), made, "a")

    assert await registry.reader(APP).resolve(Tag("a")) == made.digest


async def test_the_whole_list_remembers_what_it_has_seen_for_a_while(driver: Driver) -> None:
    """What is new or gone is seen at once; what a crash has left half deleted, half a minute later."""
    now = [0.0]
    tags = Tags(driver, lambda: now[0])
    await set_all(tags, "a", "b", "c")
    assert (await tags.page(APP, "", None)).items == ["a", "b", "c"]
    await tags.delete(APP, Tag("a"))
    await set_all(tags, "d")
    await driver.put(layout.tag_index(APP, Tag("e"), ONE), ONE.encode())
    await driver.delete(layout.tag_current(APP, "b"))
    now[0] = 29.0
    for _ in range(2):
        assert (await tags.page(APP, "", None)).items == ["b", "c", "d"]
    await set_all(tags, "e")
    assert (await tags.page(APP, "", None)).items == ["b", "c", "d", "e"]
    assert (await tags.page(APP, "", 10)).items == ["c", "d", "e"]
    now[0] = 30.0

    assert (await tags.page(APP, "", None)).items == ["c", "d", "e"]


async def test_a_tag_that_is_half_deleted_is_not_there(tags: Tags, driver: Driver) -> None:
    """Pages are full though names in between do not count, and end where nothing follows."""
    await set_all(tags, *(f"v{number:02}" for number in range(20)))
    for number in [*range(2, 9), *range(15, 20)]:
        await driver.delete(layout.tag_current(APP, f"v{number:02}"))
    left = [f"v{number:02}" for number in (0, 1, *range(9, 15))]

    assert await tags.page(APP, "", None) == Page(left, more=False)
    assert await tags.page(APP, "", 3) == Page(left[:3], more=True)
    assert await tags.page(APP, "v09", 5) == Page(left[3:8], more=False)
    assert await tags.page(APP, "v14", 5) == Page([], more=False)
    with pytest.raises(ManifestUnknown):
        await tags.resolve(APP, Tag("v02"))
    with pytest.raises(ManifestUnknown):
        await tags.delete(APP, Tag("v02"))
    await set_all(tags, "v02")
    assert (await tags.page(APP, "v01", 1)).items == ["v02"]


@pytest.mark.parametrize("limit", [1, 10, None])
async def test_an_unknown_repository_has_no_tags_to_list(registry: LocalRegistry, limit: int | None) -> None:
    """One that never held a manifest is unknown; one that holds some without a tag has an empty list."""
    repository = registry.reader(APP)
    with pytest.raises(NameUnknown):
        await repository.tags("", limit)

    await push(registry.writer(APP), image(1))

    assert await repository.tags("", limit) == Page([], more=False)


async def test_a_repository_below_another_is_no_tag_of_it(registry: LocalRegistry) -> None:
    """`a/b` is not in the list of `a`, and `a` is unknown where only `a/b` is there."""
    await push(registry.writer(RepositoryName.parse("library/app/below")), image(1), "latest")

    with pytest.raises(NameUnknown):
        await registry.reader(APP).tags("", None)


async def test_removing_a_tag_takes_its_history_too(tags: Tags, driver: Driver) -> None:
    """Nothing of it is left; the others stay."""
    await set_all(tags, "kept", "latest", digest=TWO)
    await set_all(tags, "latest")

    await tags.delete(APP, Tag("latest"))

    assert await driver.list(layout.tags(APP)) == ["kept"]
    for call in (tags.resolve, tags.delete):
        with pytest.raises(ManifestUnknown):
            await call(APP, Tag("latest"))


async def test_every_tag_that_names_a_digest_is_found() -> None:
    """However many there are, and none that names another, once named it, or was half deleted."""
    driver = MemoryDriver()
    tags = Tags(driver)
    pointing = [f"p{number:04}" for number in range(1200)]
    await set_all(tags, *pointing, "half", "moved")
    await set_all(tags, *(f"o{number}" for number in range(10)), "moved", digest=TWO)
    await driver.delete(layout.tag_current(APP, "half"))

    assert await tags.pointing_at(APP, ONE) == pointing
    assert await tags.pointing_at(APP, Digest.of(b"three")) == []
    assert await tags.pointing_at(RepositoryName.parse("unknown"), ONE) == []


async def test_files_among_the_tags_are_none(tags: Tags, driver: Driver) -> None:
    """What another program left there does not break the list."""
    await set_all(tags, "latest")
    await driver.put(f"{layout.tags(APP)}/README", b"hands off")
    await write_link(driver, f"{layout.tags(APP)}/other/link", ONE)

    assert (await tags.page(APP, "", None)).items == ["latest"]
    assert await tags.pointing_at(APP, ONE) == ["latest"]
