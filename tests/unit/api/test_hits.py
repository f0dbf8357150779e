"""Answers at once: the same as the ordinary ones, for the plainest requests only."""

import pytest

from entrepot.api.dispatch import Dispatcher
from entrepot.api.hits import HitHandlers
from entrepot.api.message import Response
from entrepot.api.routes import Action
from entrepot.content import Bytes, Manifest
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import parse
from entrepot.oci.names import RepositoryName, Tag
from entrepot.testing.images import image
from tests.unit.api.requests import request, values

SAMPLE = image(1)
DIGEST = Digest.parse(SAMPLE.digest)
MANIFEST = Manifest(DIGEST, SAMPLE.content, parse(SAMPLE.content, None))
BLOB = Digest.of(b"hello")
READING = frozenset({Action.PING, Action.PULL, Action.CATALOG})


class Held:
    """Hits of one repository with one image, tagged `1`, and one blob."""

    def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Manifest | None:
        return MANIFEST if name == "team/app" and reference in ("1", DIGEST) else None

    def blob(self, name: RepositoryName, digest: Digest) -> bytes | None:
        return b"hello" if name == "team/app" and digest == BLOB else None


def ask(
    method: str, path: str, headers: dict[str, str] | None = None, allowed: frozenset[Action] = READING
) -> Response | None:
    """What a dispatcher with these hits, below `/prefix`, answers at once."""
    hits = HitHandlers(Held())
    dispatcher = Dispatcher({}, allowed, "/prefix", [("x-content-type-options", "nosniff")], hits)
    return dispatcher.at_once(request(method, path, headers))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["1", str(DIGEST)])
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


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/prefix/v2/team/app/manifests/1", {"If-None-Match": "*"}),
        ("GET", f"/prefix/v2/team/app/blobs/{BLOB}", {"Range": "bytes=0-1"}),
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
    """Conditions, ranges, other methods, errors, lists: nothing is answered at once."""
    assert ask(method, path, headers) is None


def test_the_gate_is_asked_first() -> None:
    """Where pulling is not allowed, memory answers nobody."""
    assert ask("GET", "/prefix/v2/team/app/manifests/1", allowed=frozenset({Action.PING})) is None
