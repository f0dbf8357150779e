"""Answers at once: the same as the ordinary ones, for the plainest requests only."""

import pytest

from entrepot.api.dispatch import Dispatcher
from entrepot.api.hits import HitHandlers
from entrepot.api.message import PlainHeaders, Response
from entrepot.api.routes import Action
from entrepot.api.standing import Again, Answer
from entrepot.content import Blob, Bytes, Manifest, Select
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import parse
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Hit, Parts
from entrepot.storage.blobs import small_blob
from entrepot.testing.images import image
from tests.unit.api.requests import request, values

SAMPLE = image(1)
DIGEST = Digest.parse(SAMPLE.digest)
MANIFEST = Manifest(DIGEST, SAMPLE.content, parse(SAMPLE.content, None))
BLOB = Digest.of(b"hello")
READING = frozenset({Action.PING, Action.PULL, Action.CATALOG})


class Held:
    """Hits of one repository with one image, tagged `1`, and one blob; they stand while `stands`."""

    def __init__(self) -> None:
        self.stands = True

    def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Hit[Manifest] | None:
        is_here = name == "team/app" and reference in ("1", DIGEST)
        return Hit(MANIFEST, lambda: self.stands) if is_here else None

    def stat_blob(self, name: RepositoryName, digest: Digest) -> Hit[Descriptor] | None:
        hit = self.blob(name, digest)
        return None if hit is None else Hit(hit.value.descriptor, hit.stands)

    def blob(self, name: RepositoryName, digest: Digest, select: Select | None = None) -> Hit[Blob] | None:
        if name != "team/app" or digest != BLOB:
            return None
        return Hit(small_blob(digest, b"hello", select), lambda: self.stands)

    def parts(self, name: RepositoryName, digest: Digest) -> Hit[Parts] | None:
        is_here = name == "team/app" and digest == BLOB
        return Hit(_part, lambda: self.stands) if is_here else None


def _part(select: Select) -> Blob | None:
    return None if select(5) is None else small_blob(BLOB, b"hello", select)


def find(
    method: str, path: str, headers: dict[str, str] | None = None, allowed: frozenset[Action] = READING
) -> Answer | None:
    """What a dispatcher with these hits, below `/prefix`, has to answer at once."""
    hits = HitHandlers(Held())
    dispatcher = Dispatcher({}, allowed, "/prefix", [("x-content-type-options", "nosniff")], hits)
    return dispatcher.at_once(request(method, path, headers))


def ask(
    method: str, path: str, headers: dict[str, str] | None = None, allowed: frozenset[Action] = READING
) -> Response | None:
    """The same, for those who do not ask how long it stands."""
    answer = find(method, path, headers, allowed)
    return None if answer is None else answer.response


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["1", str(DIGEST)], ids=["tag", "digest"])
def test_a_manifest_is_answered_with_all_its_headers(method: str, reference: str) -> None:
    """Type, length, digest and entity tag, and what every answer carries."""
    answer = ask(method, f"/prefix/v2/team/app/manifests/{reference}")

    assert answer is not None
    assert answer.status == 200
    assert answer.body == Bytes(SAMPLE.content)
    assert dict(answer.headers) == {
        "content-type": SAMPLE.media_type,
        "content-length": str(len(SAMPLE.content)),
        "docker-content-digest": str(DIGEST),
        "etag": f'"{DIGEST}"',
        "docker-distribution-api-version": "registry/2.0",
        "x-content-type-options": "nosniff",
    }


def test_a_small_blob_is_answered_with_all_its_headers() -> None:
    """Among them that it can be kept, and that ranges of it can be had."""
    answer = ask("GET", f"/prefix/v2/team/app/blobs/{BLOB}")

    assert answer is not None
    assert answer.body == Bytes(b"hello")
    assert values(answer, "content-length") == ["5"]
    assert values(answer, "accept-ranges") == ["bytes"]
    assert values(answer, "cache-control") == ["max-age=31536000"]
    assert values(answer, "docker-content-digest") == [str(BLOB)]


def test_a_part_of_a_blob_is_answered_with_its_place() -> None:
    """206, as far as the blob goes; a Range on HEAD means nothing (RFC 9110 §14.2)."""
    part = ask("GET", f"/prefix/v2/team/app/blobs/{BLOB}", {"Range": "bytes=1-99"})
    head = ask("HEAD", f"/prefix/v2/team/app/blobs/{BLOB}", {"Range": "bytes=1-99"})

    assert part is not None
    assert (part.status, part.body) == (206, Bytes(b"ello"))
    assert values(part, "content-range") == ["bytes 1-4/5"]
    assert head is not None
    assert (head.status, values(head, "content-length")) == (200, ["5"])


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/prefix/v2/team/app/manifests/1", {"If-None-Match": "*"}),
        ("GET", f"/prefix/v2/team/app/blobs/{BLOB}", {"Range": "bytes=5-"}),
        ("DELETE", "/prefix/v2/team/app/manifests/1", {}),
        ("PUT", "/prefix/v2/team/app/manifests/1", {}),
        ("get", "/prefix/v2/team/app/manifests/1", {}),
        ("GET", "/v2/team/app/manifests/1", {}),
        ("GET", "/prefix/v2/other/manifests/1", {}),
        ("GET", "/prefix/v2/Team/app/manifests/1", {}),
        ("GET", "/prefix/v2/team/app/manifests/sha256:00", {}),
        ("GET", "/prefix/v2/team/app/blobs/junk", {}),
        ("GET", "/prefix/v2/team/app/tags/list", {}),
        ("GET", "/prefix/v2/", {}),
        ("GET", "/", {}),
        ("GET", "/prefix/v2/team/app/manifests/1?" + "x" * 9000, {}),
    ],
)
def test_everything_else_takes_the_ordinary_way(method: str, path: str, headers: dict[str, str]) -> None:
    """Conditions, ranges out of bounds, other methods, errors, lists: nothing is answered at once."""
    assert ask(method, path, headers) is None


def test_the_gate_is_asked_first() -> None:
    """Where pulling is not allowed, memory answers nobody."""
    assert ask("GET", "/prefix/v2/team/app/manifests/1", allowed=frozenset({Action.PING})) is None


def again(held: Held, path: str, headers: dict[str, str] | None = None) -> Again:
    """What answers such a request the next time."""
    dispatcher = Dispatcher({}, READING, "", [("x-content-type-options", "nosniff")], HitHandlers(held))
    answer = dispatcher.at_once(request("GET", path, headers))
    assert answer is not None
    assert answer.again is not None
    return answer.again


NOTHING_ELSE = PlainHeaders.of({})


@pytest.mark.parametrize("path", ["manifests/1", f"blobs/{BLOB}"])
def test_an_answer_stands_as_long_as_what_it_was_made_of(path: str) -> None:
    """The handler passes on what the store says."""
    held = Held()
    answer = again(held, f"/v2/team/app/{path}")

    assert answer(NOTHING_ELSE) is not None
    assert answer(PlainHeaders.of({"If-None-Match": "*"})) is None
    held.stands = False
    assert answer(NOTHING_ELSE) is None


def test_another_part_of_the_same_blob_has_its_own_place_and_all_headers() -> None:
    """As long as the blob may be read."""
    held = Held()
    answer = again(held, f"/v2/team/app/blobs/{BLOB}", {"Range": "bytes=0-0"})
    part = answer(PlainHeaders.of({"Range": "bytes=1-2"}))

    assert part is not None
    assert (part.status, part.body) == (206, Bytes(b"el"))
    assert values(part, "content-range") == ["bytes 1-2/5"]
    assert values(part, "x-content-type-options") == ["nosniff"]
    assert values(part, "docker-distribution-api-version") == ["registry/2.0"]
    held.stands = False
    assert answer(PlainHeaders.of({"Range": "bytes=1-2"})) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Range": "bytes=5-"},
        {"Range": "bytes=1-2", "If-None-Match": "*"},
        {"Range": "bytes=1-2", "If-Range": '"other"'},
    ],
)
def test_what_is_no_plain_part_is_not_answered_as_one(headers: dict[str, str]) -> None:
    """It takes the ordinary way."""
    answer = again(Held(), f"/v2/team/app/blobs/{BLOB}", {"Range": "bytes=0-0"})

    assert answer(PlainHeaders.of(headers)) is None


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("manifests/1", {"Range": "bytes=0-1"}),
        (f"blobs/{BLOB}", {"Range": "bytes=0-1", "If-Range": '"other"'}),
        (f"blobs/{BLOB}", {"Range": "lines=0-1"}),
    ],
)
def test_a_whole_that_was_sent_instead_of_a_part_is_no_answer_to_the_next(path: str, headers: dict[str, str]) -> None:
    """The next one may have a range that counts."""
    dispatcher = Dispatcher({}, READING, "", [], HitHandlers(Held()))
    answer = dispatcher.at_once(request("GET", f"/v2/team/app/{path}", headers))

    assert answer is not None
    assert answer.response.status == 200
    assert answer.again is None
