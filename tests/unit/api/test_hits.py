"""Answers at once: the same as the ordinary ones, for the plainest requests only."""

import pytest

from entrepot.api.dispatch import Dispatcher
from entrepot.api.hits import HitHandlers
from entrepot.api.message import Response
from entrepot.api.routes import Action
from entrepot.content import Blob, Bytes, Manifest, Select
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import parse
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Hit
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


def find(
    method: str, path: str, headers: dict[str, str] | None = None, allowed: frozenset[Action] = READING
) -> Hit[Response] | None:
    """What a dispatcher with these hits, below `/prefix`, has to answer at once."""
    hits = HitHandlers(Held())
    dispatcher = Dispatcher({}, allowed, "/prefix", [("x-content-type-options", "nosniff")], hits)
    return dispatcher.at_once(request(method, path, headers))


def ask(
    method: str, path: str, headers: dict[str, str] | None = None, allowed: frozenset[Action] = READING
) -> Response | None:
    """The same, for those who do not ask how long it stands."""
    hit = find(method, path, headers, allowed)
    return None if hit is None else hit.value


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


def test_an_answer_stands_as_long_as_what_it_was_made_of() -> None:
    """The dispatcher passes on what the store says."""
    held = Held()
    dispatcher = Dispatcher({}, READING, "", [], HitHandlers(held))
    hit = dispatcher.at_once(request("GET", "/v2/team/app/manifests/1"))

    assert hit is not None
    assert hit.stands()
    held.stands = False
    assert not hit.stands()
