"""Tag lists in pages, whole lists, and `tags.maxtags`."""

from collections.abc import Iterator

import pytest

from entrepot.testing.images import image, random_blob
from tests.api.checks import check_refusal
from tests.conftest import Serve
from tests.repositories import Repository, next_page
from tests.servers import IN_MEMORY

# In the order of their bytes; some begin others (R9).
TAGS = ["0", "A", "B.1", "_x", "a", "a-b", "a.b", "a0", "a_b", "aa", "z"]


@pytest.fixture
def tagged(repository: Repository) -> Repository:
    """A repository with TAGS, set in another order."""
    repository.push(image(1), *reversed(TAGS))
    return repository


@pytest.fixture(scope="module")
def limited(serve: Serve) -> Iterator[Repository]:
    """A repository with TAGS in a registry that lists five at most."""
    with serve({**IN_MEMORY, "tags": {"maxtags": 5}}).client() as client:
        repository = Repository(client)
        repository.push(image(1), *TAGS)
        yield repository


def page(repository: Repository, query: str) -> tuple[list[str], str | None]:
    """One page and where the next one is."""
    answer = repository.get(f"tags/list{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert answer.json()["name"] == repository.name
    assert isinstance(answer.json()["tags"], list)
    return answer.json()["tags"], next_page(answer)


@pytest.mark.parametrize("query", ["", "?n=", "?last=", "?n=&last="])
def test_whole_list(tagged: Repository, query: str) -> None:
    """Without `n` all tags are listed, sorted, without a link."""
    assert page(tagged, query) == (TAGS, None)


@pytest.mark.parametrize("number", [1, 2, 5, 10, 11, 12, 1000])
def test_pages_hold_every_tag_once(tagged: Repository, number: int) -> None:
    """R9: following the links gives every tag exactly once, in order, in pages of exactly `n`."""
    found, link = page(tagged, f"?n={number}")
    listed = list(found)
    while link is not None:
        assert len(found) == number
        assert link == f"/v2/{tagged.name}/tags/list?last={found[-1]}&n={number}"
        found, link = page(tagged, link.removeprefix(f"/v2/{tagged.name}/tags/list"))
        listed += found

    assert listed == TAGS


@pytest.mark.parametrize("last", [*TAGS, "", "a-", "nosuchtag", "aaa", "~"])
def test_last_alone(tagged: Repository, last: str) -> None:
    """Everything after `last` is listed, whether or not such a tag exists."""
    assert page(tagged, f"?last={last}") == ([tag for tag in TAGS if tag > last], None)


def test_last_beyond_the_end(tagged: Repository) -> None:
    """The page after the last tag is an empty list, not null, without a link."""
    assert page(tagged, "?last=z&n=3") == ([], None)


def test_no_tags_asked_for(tagged: Repository) -> None:
    """F-038: zero tags are an empty list without a link."""
    assert page(tagged, "?n=0") == ([], None)


@pytest.mark.parametrize("number", ["-1", "foo", "+5", "%2B5", "0x10", "1.0", "%D9%A5", "1%00", "1_0", "9" * 30])
def test_number_that_is_none(tagged: Repository, number: str) -> None:
    """R3, F-038: what is not a plain decimal number is refused, on a known repository and on an unknown one."""
    check_refusal(tagged.get(f"tags/list?n={number}"), 400, "PAGINATION_NUMBER_INVALID")
    check_refusal(tagged.sibling().get(f"tags/list?n={number}"), 400, "PAGINATION_NUMBER_INVALID")


@pytest.mark.parametrize("last", ["%FF%FE", "%00", "%0A", "\U0001f600", "z" * 5000, "../../etc", "a/b"])
def test_strange_last(tagged: Repository, last: str) -> None:
    """F-038: a `last` that can be no tag is a place in the order like any other, or is refused."""
    answer = tagged.get(f"tags/list?n=3&last={last}")

    assert answer.status_code in (200, 400)


def test_number_above_the_limit_is_lowered(limited: Repository) -> None:
    """More than `tags.maxtags` gives a page of that many with a link, unlike the catalog."""
    found, link = page(limited, "?n=100")

    assert found == TAGS[:5]
    assert link == f"/v2/{limited.name}/tags/list?last={TAGS[4]}&n=5"


def test_head(tagged: Repository) -> None:
    """HEAD has the headers of GET and no body."""
    looked, read = tagged.head("tags/list?n=2"), tagged.get("tags/list?n=2")

    assert looked.status_code == 200
    assert looked.content == b""
    for name in ("Content-Type", "Content-Length", "Link"):
        assert looked.headers[name] == read.headers[name]


def test_unknown_repository(repository: Repository) -> None:
    """A repository that does not exist is named as unknown."""
    answer = repository.get("tags/list")

    check_refusal(answer, 404, "NAME_UNKNOWN")
    assert answer.json()["errors"][0]["detail"] == {"name": repository.name}


def test_repository_above_another(repository: Repository) -> None:
    """A name that only begins other names is no repository itself."""
    repository.push(image(1), "latest")

    check_refusal(repository.sibling(repository.name.split("/")[0]).get("tags/list"), 404, "NAME_UNKNOWN")


def test_repository_without_tags(repository: Repository) -> None:
    """Once manifests are there the list exists, empty."""
    repository.push(image(1))

    assert page(repository, "") == ([], None)


def test_repository_that_lost_its_tags(repository: Repository) -> None:
    """After its last tag is deleted a repository has an empty list, not null."""
    repository.push(image(1), "latest")
    repository.delete("manifests/latest")

    assert page(repository, "") == ([], None)


def test_tags_are_exact(repository: Repository) -> None:
    """Tags that differ only in case are different tags."""
    first, second = image(1), image(1)
    repository.push(first, "latest")
    repository.push(second, "Latest")

    assert repository.get("manifests/latest").content == first.content
    assert repository.get("manifests/Latest").content == second.content
    assert repository.tags() == ["Latest", "latest"]


def test_blobs_alone_make_no_list(repository: Repository) -> None:
    """A repository that holds blobs only has no tags: unknown as in Distribution, or an empty list."""
    repository.push_blob(random_blob())

    answer = repository.get("tags/list")

    assert answer.status_code in (200, 404)
    if answer.status_code == 200:
        assert answer.json()["tags"] == []
