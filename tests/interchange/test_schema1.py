"""Docker's schema 1, of either server: what one signs the other takes, and both convert alike."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from entrepot.schema1.jws import payload_of
from entrepot.testing.images import DOCKER, SampleManifest, digest_of, image, index
from tests.interchange.volume import BOTH, ServerName, Volume, other
from tests.old_images import EMPTY_AT_ONCE, PLAIN, SIGNED, STEPS, pull_old
from tests.programs import need
from tests.repositories import Repository


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    """A data directory whose servers know schema 1."""
    need("docker-registry")
    with Volume(tmp_path, {"compatibility": {"schema1": {"enabled": True}}}) as made:
        yield made


@pytest.mark.parametrize("made", [PLAIN, STEPS, EMPTY_AT_ONCE], ids=["plain", "steps", "empty at once"])
def test_both_convert_an_image_to_the_same_payload(volume: Volume, made: SampleManifest) -> None:
    """Byte for byte: its digest is what a client has written down."""
    payloads = {}
    with volume.open("docker-registry") as client:
        Repository(client, "deep/er").push(made, "v1")
    for server in BOTH:
        with volume.open(server) as client:
            payloads[server] = _checked(pull_old(client, "deep/er", "v1"))

    assert payloads["entrepot"] == payloads["docker-registry"]


@pytest.mark.parametrize("server", BOTH)
def test_every_layer_of_a_converted_image_is_there(volume: Volume, server: ServerName) -> None:
    """Also the empty one, which nobody has pushed."""
    with volume.open(server) as client:
        repository = Repository(client, "a")
        repository.push(STEPS, "v1")
        payload = _members(pull_old(client, "a", "v1"))
        sizes = [len(repository.get(f"blobs/{one['blobSum']}").content) for one in payload["fsLayers"]]

    assert len(sizes) == 5
    assert sizes.count(32) == 2


@pytest.mark.parametrize("writer", BOTH)
def test_what_one_has_signed_the_other_takes_and_both_serve(volume: Volume, writer: ServerName) -> None:
    """The digest is that of the payload, whoever signs, and by it the manifest is found."""
    reader = other(writer)
    with volume.open(writer) as client:
        Repository(client, "a").push(STEPS, "v1")
        signed = pull_old(client, "a", "v1")

    with volume.open(reader) as client:
        taken = Repository(client, "a").put_bytes("v1", signed.content, SIGNED)
        assert taken.status_code == 201, taken.text
        assert taken.headers["Docker-Content-Digest"] == digest_of(payload_of(signed.content), "sha256")

    for server in BOTH:
        with volume.open(server) as client:
            for reference in ("v1", taken.headers["Docker-Content-Digest"]):
                assert _checked(pull_old(client, "a", reference)) == payload_of(signed.content)


@pytest.mark.parametrize("server", BOTH)
def test_of_a_list_an_old_client_gets_its_image_for_linux_on_amd64(volume: Volume, server: ServerName) -> None:
    """Converted."""
    children = [image(2, DOCKER, platform={"architecture": name, "os": "linux"}) for name in ("arm64", "amd64")]
    with volume.open(server) as client:
        Repository(client, "a").push(index(children, DOCKER), "v1")
        payload = _members(pull_old(client, "a", "v1"))

    assert payload["architecture"] == "amd64"
    assert [one["blobSum"] for one in payload["fsLayers"]] == [one.digest for one in reversed(children[1].blobs[1:])]


@pytest.mark.parametrize("server", BOTH)
def test_a_manifest_that_was_changed_is_refused(volume: Volume, server: ServerName) -> None:
    """Its signature does not fit."""
    with volume.open(server) as client:
        Repository(client, "a").push(PLAIN, "v1")
        signed = pull_old(client, "a", "v1").content
        answer = Repository(client, "a").put_bytes("v1", signed.replace(b"amd64", b"arm64", 1), SIGNED)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "MANIFEST_UNVERIFIED")


@pytest.mark.parametrize("collector", BOTH)
def test_collection_keeps_the_layers_of_what_is_signed(volume: Volume, collector: ServerName) -> None:
    """And of nothing else."""
    with volume.open("docker-registry") as client:
        repository = Repository(client, "a")
        repository.push(STEPS, "v1")
        signed = pull_old(client, "a", "v1")
        assert repository.put_bytes("old", signed.content, SIGNED).status_code == 201
        unneeded = repository.push_blob(b"nobody needs it")
        assert repository.delete(f"manifests/{STEPS.digest}").status_code == 202

    volume.collect(collector)

    with volume.open("entrepot") as client:
        repository = Repository(client, "a")
        layers = _members(pull_old(client, "a", "old"))["fsLayers"]
        assert {repository.get(f"blobs/{one['blobSum']}").status_code for one in layers} == {200}
        assert repository.get(f"blobs/{unneeded}").status_code == 404
        assert repository.get(f"blobs/{STEPS.blobs[0].digest}").status_code == 404


def _checked(answer: httpx.Response) -> bytes:
    """The payload of an answer with a signed manifest, whose signature fits."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == SIGNED
    payload = payload_of(answer.content)
    assert answer.headers["Docker-Content-Digest"] == digest_of(payload, "sha256")
    return payload


def _members(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    members: dict[str, Any] = answer.json()
    return members
