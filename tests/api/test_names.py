"""Repository names and paths: what the grammar takes, what it refuses, and that no route is mistaken for another."""

import pytest

from entrepot.testing.images import image, random_blob
from tests.api.checks import check_refusal, snapshot
from tests.api.raw import exchange
from tests.conftest import Serve
from tests.repositories import Repository, error_codes, fresh_name
from tests.servers import Server

UNKNOWN = f"sha256:{'0' * 64}"

VALID = [
    "a",
    "0",
    "a.b",
    "a_b",
    "a__b",
    "a-b",
    "a---b",
    "a/b/c/d/e/f/g/h",
    "a.b/c_d/e__f/g-h/0",
    "/".join(["x"] * 100),
    "a" * 200 + "/" + "b" * 54,
]

INVALID = {
    "upper": "Upper/name",
    "dash first": "-a",
    "dash last": "a-",
    "dot first": ".a",
    "dot last": "a.",
    "two dots": "a..b",
    "three underscores": "a___b",
    "mixed separators": "a.-b",
    "underscore first": "_a",
    "reserved": "a/_manifests",
    "space": "a%20b",
    "colon": "a:5000/b",
    "unicode": "%C3%BC",
    "other digits": "a%D9%A3",
    "nul": "a%00b",
    "backslash": "a%5Cb",
    "newline": "a%0A",
    "too long": "a" * 256,
    "too long in parts": "/".join(["a" * 15] * 17),
    "plus": "a+b",
    "at": "a@b",
}


@pytest.mark.parametrize("name", VALID, ids=range(len(VALID)))
def test_valid_name(repository: Repository, name: str) -> None:
    """F-027: a repository may be called this: it is pushed to, pulled from and listed."""
    named = repository.sibling(name)
    digest = named.push(image(1), "latest")

    assert named.head("manifests/latest").headers["Docker-Content-Digest"] == digest
    assert named.tags() == ["latest"]


@pytest.fixture(scope="module")
def own_server(serve: Serve) -> Server:
    """A server whose directory nothing else writes to."""
    return serve()


@pytest.mark.parametrize("name", INVALID.values(), ids=INVALID)
def test_invalid_name(own_server: Server, name: str) -> None:
    """F-027: on every route the name is refused as invalid, or the path is none; nothing is created."""
    before = snapshot(own_server.root)
    with own_server.client() as client:
        repository = Repository(client, name)
        made = image(1)
        answers = [
            repository.get("tags/list"),
            repository.get("manifests/latest"),
            repository.put_manifest("latest", made),
            repository.get(f"blobs/{UNKNOWN}"),
            repository.post("blobs/uploads/"),
            repository.get(f"referrers/{UNKNOWN}"),
        ]

    for answer in answers:
        assert answer.status_code in (400, 404)
        if answer.status_code == 400:
            assert error_codes(answer) == ["NAME_INVALID"]
    assert snapshot(own_server.root) == before


def test_invalid_name_is_named(repository: Repository) -> None:
    """F-027: a name in capitals, which people do type, gets the code that says what is wrong."""
    check_refusal(repository.sibling("Library/App").get("tags/list"), 400, "NAME_INVALID")


def test_names_of_other_scripts(repository: Repository) -> None:
    """F-027: letters and digits of other scripts are no letters and digits of names."""
    for number in range(0x80, 0x3000, 41):
        answer = repository.sibling(f"a{chr(number)}0").get("manifests/latest")
        assert answer.status_code in (400, 404), hex(number)


HOSTILE = [
    "/v2/../../etc/passwd",
    "/v2/%2e%2e/%2e%2e/etc/passwd",
    "/v2/%2F%2F..%2F..%2Fetc/passwd",
    "/v2/foo/../../blobs/" + UNKNOWN,
    "/v2/foo/%2e%2e/%2e%2e/%2e%2e/manifests/latest",
    "/v2/foo%2f..%2f..%2fbar/manifests/latest",
    "/v2/foo/manifests/..%2f..%2f..%2fetc%2fpasswd",
    "/v2/foo/manifests/..",
    "/v2/foo/blobs/sha256:..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/v2/foo/blobs/sha256%3A" + "0" * 63 + "%2f",
    "/v2/foo/blobs/..%5c..%5cetc",
    "/v2/foo/blobs/uploads/..%2f..%2f..%2fdata",
    "/v2/foo/blobs/uploads/%00",
    "/v2/foo/manifests/%00",
    "/v2/foo/manifests/latest%00",
    "/v2/foo//manifests/latest",
    "//v2//foo/manifests/latest",
    "/v2/foo/./manifests/latest",
    "/v2/foo\\bar/manifests/latest",
    "/v2/%c0%ae%c0%ae/manifests/latest",
    "/v2/%ff/manifests/latest",
    "/v2/%252e%252e/manifests/latest",
    "/v2/foo/manifests/latest#fragment",
    "/v2/foo/referrers/..%2f..",
    "/v2/" + "a/" * 3000 + "tags/list",
    "/v2/foo/manifests/" + "a" * 7000,
]


@pytest.mark.parametrize("path", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_hostile_path(filesystem_server: Server, path: str, method: str) -> None:
    """F-022, R23: no such path reaches a file or leads elsewhere, and the server is unharmed."""
    status, headers, body = exchange(filesystem_server.port, method, path, Content_Length="0")

    assert status in (400, 404, 405, 414), body
    assert "location" not in headers
    assert b"root:" not in body


def test_hostile_paths_create_nothing(own_server: Server) -> None:
    """R23: no path component comes from a client unchecked: the data directory and those above it stay as they are."""
    before = snapshot(own_server.directory)
    for path in HOSTILE:
        exchange(own_server.port, "POST", path, Content_Length="0")
        exchange(own_server.port, "PUT", path, Content_Length="0")

    after = snapshot(own_server.directory)
    assert {path for path in after if path != "log"} == {path for path in before if path != "log"}


AMBIGUOUS = [
    "blobs",
    "manifests",
    "tags",
    "uploads",
    "referrers",
    "tags/list",
    "blobs/uploads",
    "manifests/latest",
    "v2",
    "v2/catalog",
    "x/tags",
    "x/tags/list",
    "x/blobs",
    "x/blobs/uploads",
    "x/manifests",
    "x/manifests/latest",
    "x/referrers",
    "foo/bar/manifests",
]


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_name_made_of_route_words(repository: Repository, name: str) -> None:
    """F-030: paths are read from the right, so that words of routes are ordinary names and tags."""
    named = repository.sibling(f"{fresh_name()}/{name}")
    made = image(1)
    tags = ["blobs", "latest", "list", "manifests", "tags", "uploads"]
    named.push(made, *tags)

    upload = named.begin()
    assert upload.append(b"abc").status_code == 202
    assert upload.status().headers["Range"] == "0-2"
    for tag in tags:
        assert named.get(f"manifests/{tag}").content == made.content
    assert named.get(f"blobs/{made.blobs[0].digest}").content == made.blobs[0].content
    assert named.referrers(made.digest) == []
    assert named.get("tags/list").json() == {"name": named.name, "tags": tags}


def test_first_words_of_a_path_are_a_name(repository: Repository) -> None:
    """F-030: names that begin with words of routes, without anything before them."""
    for name in ("blobs", "tags/list", "manifests/manifests"):
        named = repository.sibling(name)
        blob = random_blob()
        named.push_blob(blob)
        assert named.get(f"blobs/{blob.digest}").content == blob.content
