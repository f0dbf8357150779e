"""The parameters of lists: how many, from where on, and what a client may not ask."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from entrepot.api.listings import ListingHandlers, PageLimits
from entrepot.api.message import Response
from entrepot.api.routes import Kind, Target
from entrepot.api.urls import Urls
from entrepot.oci.descriptor import OCI_INDEX, Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import DigestInvalid, PaginationNumberInvalid, UriTooLong
from entrepot.oci.names import RepositoryName
from entrepot.registry import Page
from tests.unit.api.requests import DIGEST, content, request, values

APP = RepositoryName("library/app")
SBOM = "application/vnd.example.sbom+json"
LIMITS = PageLimits(catalog=5, tags=5, referrers=5)
NAMES = [f"name{number}" for number in range(9)]
REFERRERS = [Descriptor(OCI_INDEX, Digest.of(bytes([number])), number, {"a": "b"}, SBOM) for number in range(9)]
LAST = REFERRERS[0].digest.replace(":", "%3A")


class Lists:
    """A registry, and its one repository, of nine things each; it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def reader(self, name: RepositoryName) -> "Lists":
        assert name == APP
        return self

    async def catalog(self, after: str, limit: int) -> Page[str]:
        self.asked.append((after, limit))
        return Page(NAMES[:limit], more=limit < len(NAMES))

    async def tags(self, after: str, limit: int | None) -> Page[str]:
        self.asked.append((after, limit))
        return Page(NAMES[:limit], more=limit is not None and limit < len(NAMES))

    async def referrers(self, subject: Digest, artifact_type: str | None, after: str, limit: int) -> Page[Descriptor]:
        self.asked.append((subject, artifact_type, after, limit))
        return Page(REFERRERS[:limit], more=limit < len(REFERRERS))


class Asking:
    """The handlers over such a registry."""

    def __init__(self, urls: Urls | None = None) -> None:
        self.lists = Lists()
        self._reads = cast("Any", self.lists)  # nothing but lists is asked of it
        self._handlers = ListingHandlers(self._reads, urls or Urls(), LIMITS)

    async def catalog(self, query: str) -> Response:
        return await self._handlers.catalog(request("GET", f"/v2/_catalog?{query}"), Target(Kind.CATALOG, APP))

    async def tags(self, query: str) -> Response:
        asked = request("GET", f"/v2/{APP}/tags/list?{query}")
        return await self._handlers.tags(asked, Target(Kind.TAGS, APP), self._reads)

    async def referrers(self, query: str, subject: str = DIGEST) -> Response:
        asked = request("GET", f"/v2/{APP}/referrers/{subject}?{query}")
        return await self._handlers.referrers(asked, Target(Kind.REFERRERS, APP, subject), self._reads)


Ask = Callable[[Asking, str], Awaitable[Response]]
ALL: dict[str, Ask] = {"catalog": Asking.catalog, "tags": Asking.tags, "referrers": Asking.referrers}


@pytest.mark.parametrize("ask", ALL.values(), ids=ALL)
@pytest.mark.parametrize(
    "number", ["-1", "+5", "x", "0x10", "1e3", "1.0", " 1", "1 ", "1_0", "\u0665", "10" * 15, "9" * 5000, "\0", "n=1"]
)
async def test_what_is_no_count_is_refused(ask: Ask, number: str) -> None:
    """Only a short row of ASCII digits is one; nothing is allocated for any other (CVE-2023-2253)."""
    asking = Asking()
    query = f"n={number.replace('+', '%2B').replace(' ', '%20')}"

    with pytest.raises(PaginationNumberInvalid) as refused:
        await ask(asking, query)

    assert asking.lists.asked == []
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", ("", 5)),
        ("n=", ("", 5)),
        ("n=3", ("", 3)),
        ("n=003", ("", 3)),
        ("n=5", ("", 5)),
        ("n=0", ("", 0)),
        ("last=a", ("a", 5)),
        ("last=", ("", 5)),
        ("last=a%2Fb&n=1", ("a/b", 1)),
        ("n=1&n=2&last=x&last=y", ("x", 1)),
        ("N=1&LAST=x", ("", 5)),
    ],
)
async def test_the_catalog_is_asked_for_what_the_client_wants(query: str, asked: tuple[str, int]) -> None:
    """A page of the usual size where it does not say, but never more than the bound."""
    asking = Asking()
    await asking.catalog(query)

    assert asking.lists.asked == [asked]


@pytest.mark.parametrize("number", [6, 100, 10**17])
async def test_more_of_the_catalog_than_allowed_is_refused(number: int) -> None:
    """As Distribution refuses it, with the number."""
    with pytest.raises(PaginationNumberInvalid) as refused:
        await Asking().catalog(f"n={number}")

    assert refused.value.detail == {"n": number}


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", ("", None)),
        ("n=", ("", None)),
        ("last=a", ("a", None)),
        ("n=3&last=a", ("a", 3)),
        ("n=5", ("", 5)),
        ("n=6", ("", 5)),
        ("n=100000000000000000", ("", 5)),
        ("n=0", ("", 0)),
    ],
)
async def test_tags_are_all_there_unless_the_client_counts(query: str, asked: tuple[str, int | None]) -> None:
    """A count beyond the bound is cut to it, as Distribution cuts it."""
    asking = Asking()
    await asking.tags(query)

    assert asking.lists.asked == [asked]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", (None, "", 5)),
        ("artifactType=", (None, "", 5)),
        ("artifactType=application%2Fvnd.example.sbom%2Bjson&n=2&last=sha256%3A0", (SBOM, "sha256:0", 2)),
        ("artifactType=%00%0d%0a", ("\0\r\n", "", 5)),
        ("n=6", (None, "", 5)),
        ("n=0", (None, "", 5)),
    ],
)
async def test_referrers_are_asked_for_by_type(query: str, asked: tuple[str | None, str, int]) -> None:
    """In pages of the bound, or less."""
    asking = Asking()
    response = await asking.referrers(query)

    assert asking.lists.asked == [(DIGEST, *asked)]
    assert values(response, "oci-filters-applied") == (["artifactType"] if asked[0] else [])


@pytest.mark.parametrize("subject", ["", "latest", "sha256:0", "sha257:" + "0" * 64, "../..", DIGEST.upper()])
async def test_referrers_of_what_is_no_digest_are_refused(subject: str) -> None:
    """Before anything is looked for."""
    with pytest.raises(DigestInvalid):
        await Asking().referrers("", subject)


async def test_bodies_are_the_specs() -> None:
    """One JSON object and a line end; what an index of referrers says of each."""
    catalog, tags, referrers = [await ask(Asking(), "n=2") for ask in ALL.values()]

    assert content(catalog) == b'{"repositories":["name0","name1"]}\n'
    assert content(tags) == b'{"name":"library/app","tags":["name0","name1"]}\n'
    assert json.loads(content(referrers)) == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [one.to_json() for one in REFERRERS[:2]],
    }
    assert [values(one, "content-type") for one in (catalog, tags, referrers)] == [
        ["application/json"],
        ["application/json"],
        [OCI_INDEX],
    ]


@pytest.mark.parametrize(
    ("ask", "query", "link"),
    [
        (Asking.catalog, "n=2", "/hub/v2/_catalog?last=name1&n=2"),
        (Asking.catalog, "", "/hub/v2/_catalog?last=name4&n=5"),
        (Asking.tags, "n=7", "/hub/v2/library/app/tags/list?last=name4&n=5"),
        (Asking.catalog, "n=0", None),
        (Asking.tags, "n=0", None),
        (Asking.tags, "", None),
        (
            Asking.referrers,
            "n=1",
            f"/hub/v2/library/app/referrers/{DIGEST}?last={LAST}&n=1",
        ),
        (
            Asking.referrers,
            "n=1&artifactType=%22%3E%2C%0d%0a",
            f"/hub/v2/library/app/referrers/{DIGEST}?artifactType=%22%3E%2C%0D%0A&last={LAST}&n=1",
        ),
    ],
)
async def test_a_page_that_is_not_the_last_links_to_the_next(ask: Ask, query: str, link: str | None) -> None:
    """By a path with the prefix, what was asked, and the last name; nothing of a client gets out of its place in it."""
    response = await ask(Asking(Urls(host="https://hub.example.com", prefix="/hub")), query)

    assert values(response, "link") == ([] if link is None else [f'<{link}>; rel="next"'])


@pytest.mark.parametrize("ask", ALL.values(), ids=ALL)
async def test_more_parameters_than_any_request_needs_are_refused(ask: Ask) -> None:
    """Counted while they are parsed."""
    with pytest.raises(UriTooLong):
        await ask(Asking(), "&".join(["a=b"] * 129))
