"""The catalog in pages, with `catalog.maxentries` of 5 and eleven repositories."""

from collections.abc import Iterator

import httpx
import pytest

from entrepot.testing.images import image
from tests.api.checks import check_refusal
from tests.conftest import DRIVERS, Serve
from tests.repositories import Repository, next_page
from tests.servers import IN_MEMORY, merge

# Names of which some begin others: what object stores and careless paging drop or repeat (R9).
NAMES = ["a", "a-b", "a.b", "a/b", "a/b/c", "a0", "a0/b", "aa", "b", "b/a", "b_a"]
LIMIT = 5


@pytest.fixture(scope="module", params=DRIVERS)
def catalog(request: pytest.FixtureRequest, serve: Serve) -> Iterator[httpx.Client]:
    """A client of a registry that holds NAMES and nothing else."""
    driver = IN_MEMORY if request.param == "inmemory" else {}
    with serve(merge(driver, {"catalog": {"maxentries": LIMIT}})).client() as client:
        for name in NAMES:
            Repository(client, name).push(image(1), "latest")
        yield client


def page(client: httpx.Client, query: str = "") -> tuple[list[str], str | None]:
    """One page and where the next one is."""
    answer = client.get(f"/v2/_catalog{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert set(answer.json()) == {"repositories"}
    return answer.json()["repositories"], next_page(answer)


def follow(client: httpx.Client, query: str) -> list[list[str]]:
    """All pages, by their links."""
    found, link = page(client, query)
    pages = [found]
    while link is not None:
        assert link.startswith("/v2/_catalog?")
        found, link = page(client, link.removeprefix("/v2/_catalog"))
        pages.append(found)
    return pages


def test_first_page_without_a_number(catalog: httpx.Client) -> None:
    """R3: without `n` a page holds as many as the limit allows, and links to the next."""
    found, link = page(catalog)

    assert len(found) == LIMIT
    assert link is not None


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_pages_hold_every_name_once(catalog: httpx.Client, number: int) -> None:
    """R9: following the links gives every repository exactly once, in one order, whatever the page size."""
    pages = follow(catalog, f"?n={number}")

    listed = [name for found in pages for name in found]
    assert sorted(listed) == NAMES
    assert listed == [name for found in follow(catalog, "?n=1") for name in found]
    assert all(len(found) == number for found in pages[:-1])


def test_link_keeps_its_form(catalog: httpx.Client) -> None:
    """The link is relative, has `last` and `n` in this order, and a slash in `last` is escaped."""
    found, _ = page(catalog, "?n=1&last=a/b")
    answer = catalog.get("/v2/_catalog?n=1&last=a%2F&other=1")

    assert found != ["a/b"]
    last = answer.json()["repositories"][-1].replace("/", "%2F")
    assert answer.headers["Link"] == f'</v2/_catalog?last={last}&n=1>; rel="next"'


@pytest.mark.parametrize("number", [6, 1000, 10**9, 10**18])
def test_number_above_the_limit(catalog: httpx.Client, number: int) -> None:
    """R3: more than `catalog.maxentries` at once is refused."""
    check_refusal(catalog.get(f"/v2/_catalog?n={number}"), 400, "PAGINATION_NUMBER_INVALID")


BAD_NUMBERS = ["-1", "foo", "+5", "%2B5", "0x10", "1.0", "1e3", "%D9%A5", "1%00", "%20", "1_0", "9" * 30]


@pytest.mark.parametrize("number", BAD_NUMBERS)
def test_number_that_is_none(catalog: httpx.Client, number: str) -> None:
    """R3, F-038: what is not a plain decimal number is refused."""
    check_refusal(catalog.get(f"/v2/_catalog?n={number}"), 400, "PAGINATION_NUMBER_INVALID")


def test_no_entries_asked_for(catalog: httpx.Client) -> None:
    """F-038: zero entries are an empty list without a link."""
    assert page(catalog, "?n=0") == ([], None)


@pytest.mark.parametrize("last", ["zzz", "b_a", "%FF", "%00", "\U0001f600", "z" * 5000])
def test_last_beyond_the_end(catalog: httpx.Client, last: str) -> None:
    """F-038: nothing comes after a `last` that sorts behind all; a strange one is nothing worse than that."""
    answer = catalog.get(f"/v2/_catalog?last={last}")

    assert answer.status_code in (200, 400)
    if last in ("zzz", "b_a"):
        assert answer.json() == {"repositories": []}


def test_last_need_not_exist(catalog: httpx.Client) -> None:
    """F-038: the page begins after the place where an unknown `last` would stand."""
    every = [name for found in follow(catalog, "?n=1") for name in found]

    found, _ = page(catalog, "?n=5&last=a/bb")

    assert found == every[every.index("a/b/c") + 1 :][:5]


@pytest.mark.parametrize("query", ["?n=&last=", "?last=", "?n="])
def test_empty_parameters(catalog: httpx.Client, query: str) -> None:
    """Parameters without a value are as good as none."""
    assert page(catalog, query)[0] == page(catalog)[0]


def test_head(catalog: httpx.Client) -> None:
    """HEAD has the headers of GET and no body."""
    looked, read = catalog.head("/v2/_catalog?n=2"), catalog.get("/v2/_catalog?n=2")

    assert looked.status_code == 200
    assert looked.content == b""
    for name in ("Content-Type", "Content-Length", "Link"):
        assert looked.headers[name] == read.headers[name]


@pytest.mark.parametrize("driver", DRIVERS)
def test_empty_registry(serve: Serve, driver: str) -> None:
    """A registry that nobody pushed to has an empty list, not null, and no link."""
    with serve(IN_MEMORY if driver == "inmemory" else {}).client() as client:
        assert page(client) == ([], None)
        assert page(client, "?n=10") == ([], None)


def test_default_page_is_a_hundred(serve: Serve) -> None:
    """Without `n` and with the usual limit of 1000, a page holds a hundred; `n` may ask for a thousand."""
    with serve(IN_MEMORY).client() as client:
        names = [f"r/{number:03}" for number in range(101)]
        for name in names:
            Repository(client, name).push_blob(b"{}")
            Repository(client, name).push(image(0))
        assert page(client)[0] == names[:100]
        assert page(client)[1] == "/v2/_catalog?last=r%2F099&n=100"
        assert page(client, "?n=1000") == (names, None)
        check_refusal(client.get("/v2/_catalog?n=1001"), 400, "PAGINATION_NUMBER_INVALID")
