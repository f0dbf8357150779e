"""Docker's first manifest format: refused, unless it is enabled for clients that know no other."""

import json
from pathlib import Path
from typing import Any

import pytest

from entrepot.oci.descriptor import OCI_MANIFEST
from entrepot.schema1.jws import payload_of
from entrepot.schema1.signing import Signer
from entrepot.testing.images import DOCKER, SampleManifest, digest_of, image, index
from entrepot.testing.upstreams import ThreadedUpstream
from tests.api.checks import check_refusal
from tests.conftest import Serve
from tests.http.certificates import make_pair
from tests.old_images import FOR_OLD_CLIENTS, PLAIN, SIGNED, old_image, pull_old
from tests.repositories import Repository, fresh_name
from tests.servers import IN_MEMORY, Server, merge

SIGNER = Signer.generate()


@pytest.fixture(scope="module")
def enabled(serve: Serve) -> Server:
    """A registry that takes and gives it."""
    return serve({"compatibility": {"schema1": {"enabled": True}}})


def payload(*layers: str, **members: Any) -> bytes:
    """A schema 1 manifest without signatures, of these layers."""
    steps = [{"v1Compatibility": json.dumps({"id": layer})} for layer in layers]
    whole = {"schemaVersion": 1, "name": "a", "tag": "v1", "architecture": "amd64"}
    return json.dumps(whole | {"fsLayers": [{"blobSum": one} for one in layers], "history": steps} | members).encode()


def test_a_pushed_one_is_served_with_a_signature_of_this_registry(enabled: Server) -> None:
    """By tag and by digest, which is that of the payload, to clients of any age; HEAD says the same."""
    with enabled.client() as client:
        repository = Repository(client)
        content = payload(repository.push_blob(b"layer"))
        pushed = repository.put_bytes("v1", SIGNER.sign(content), SIGNED)
        assert pushed.status_code == 201, pushed.text
        for reference in ("v1", digest_of(content, "sha256")):
            for headers in ({}, FOR_OLD_CLIENTS, {"Accept": OCI_MANIFEST}):
                answer = repository.get(f"manifests/{reference}", headers=headers)
                assert payload_of(answer.content) == content
                assert answer.headers["Content-Type"] == SIGNED
                assert answer.headers["Docker-Content-Digest"] == digest_of(content, "sha256")
                looked = repository.head(f"manifests/{reference}", headers=headers)
                assert looked.headers["Docker-Content-Digest"] == digest_of(content, "sha256")


def test_who_has_it_already_is_told_so(enabled: Server) -> None:
    """Though signatures are never the same twice."""
    with enabled.client() as client:
        repository = Repository(client)
        repository.push(PLAIN, "v1")
        etag = pull_old(client, repository.name, "v1").headers["ETag"]
        answer = repository.get("manifests/v1", headers=FOR_OLD_CLIENTS | {"If-None-Match": etag})

        assert answer.status_code == 304


@pytest.mark.parametrize("media_type", [SIGNED, SIGNED.replace("prettyjws", "json"), "application/json", None])
def test_it_is_known_by_its_version_where_the_type_says_little(enabled: Server, media_type: str | None) -> None:
    """Docker before 1.10 sent no type of its own."""
    with enabled.client() as client:
        repository = Repository(client)
        signed = SIGNER.sign(payload(repository.push_blob(b"layer")))

        assert repository.put_bytes("v1", signed, media_type).status_code == 201


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"history": []}, "MANIFEST_INVALID"),
        ({"fsLayers": None}, "MANIFEST_INVALID"),
        ({"schemaVersion": 2}, "MANIFEST_INVALID"),
        ({"name": "Not A Name"}, "NAME_INVALID"),
        ({"name": 1}, "NAME_INVALID"),
        ({"fsLayers": [{"blobSum": digest_of(b"missing", "sha256")}], "history": [{}]}, "MANIFEST_BLOB_UNKNOWN"),
    ],
)
def test_a_payload_that_is_wrong_is_refused(enabled: Server, members: dict[str, Any], code: str) -> None:
    """However well it is signed."""
    with enabled.client() as client:
        repository = Repository(client)
        signed = SIGNER.sign(payload(repository.push_blob(b"layer"), **members))

        check_refusal(repository.put_bytes("v1", signed, SIGNED), 400, code)


def test_one_without_signatures_is_refused(enabled: Server) -> None:
    """Also where it is pushed by its digest."""
    with enabled.client() as client:
        repository = Repository(client)
        content = payload(repository.push_blob(b"layer"))

        for reference in ("v1", digest_of(content, "sha256")):
            check_refusal(repository.put_bytes(reference, content, SIGNED), 400, "MANIFEST_INVALID")


@pytest.mark.parametrize("made", [image(), index(), image(form=DOCKER), index(form=DOCKER)])
def test_other_manifests_are_served_as_they_are(enabled: Server, made: SampleManifest) -> None:
    """To who accepts them, and by digest to everybody; OCI's, which were never converted, by tag, too."""
    with enabled.client() as client:
        repository = Repository(client)
        repository.push(made, "v1")
        is_docker = "docker" in made.media_type
        assert repository.get("manifests/v1", headers={"Accept": made.media_type}).content == made.content
        assert pull_old(client, repository.name, made.digest).content == made.content
        assert (pull_old(client, repository.name, "v1").content == made.content) is not is_docker


def test_a_list_without_an_image_for_old_clients_is_unknown_to_them(enabled: Server) -> None:
    """They knew linux on amd64 only."""
    with enabled.client() as client:
        repository = Repository(client)
        repository.push(index([image(form=DOCKER, platform={"architecture": "arm64", "os": "linux"})], DOCKER), "v1")

        check_refusal(pull_old(client, repository.name, "v1"), 404, "MANIFEST_UNKNOWN")


def test_what_cannot_be_converted_is_refused(enabled: Server) -> None:
    """With the reason."""
    with enabled.client() as client:
        repository = Repository(client)
        made = image(form=DOCKER)
        repository.push(made, "v1")
        assert repository.delete(f"blobs/{made.blobs[0].digest}").status_code == 202

        answer = pull_old(client, repository.name, "v1")

        check_refusal(answer, 400, "MANIFEST_INVALID")
        assert "configuration" in answer.text


@pytest.mark.parametrize("padding", [0, 100_000], ids=["small", "larger than what is kept in memory"])
def test_a_configuration_that_is_only_just_arriving(tmp_path: Path, padding: int) -> None:
    """A mirror converts what it has never seen before, and again what it has."""
    made = old_image([{"created_by": "COPY"}], author="A" * padding)
    with ThreadedUpstream() as upstream:
        upstream.add_image("library/app", "v1", made)
        settings = {"proxy": {"remoteurl": upstream.url}, "compatibility": {"schema1": {"enabled": True}}}
        with Server(tmp_path / "server", settings) as server, server.client() as client:
            answers = [pull_old(client, "library/app", "v1") for _ in range(2)]
            assert [answer.status_code for answer in answers] == [200, 200]
            assert payload_of(answers[0].content) == payload_of(answers[1].content)


def test_a_large_configuration_in_memory(tmp_path: Path) -> None:
    """It is streamed from there."""
    made = old_image([{"created_by": "COPY"}], author="A" * 100_000)
    settings = merge(IN_MEMORY, {"compatibility": {"schema1": {"enabled": True}}})
    with Server(tmp_path / "server", settings) as server, server.client() as client:
        Repository(client, "a").push(made, "v1")

        assert pull_old(client, "a", "v1").status_code == 200


def test_the_key_of_the_configuration_signs(tmp_path: Path) -> None:
    """So that clients can know it again."""
    pair = make_pair(tmp_path, key="ec:prime256v1")
    settings = {"compatibility": {"schema1": {"enabled": True, "signingkeyfile": str(pair.key)}}}
    with Server(tmp_path / "server", settings) as server, server.client() as client:
        Repository(client, "a").push(PLAIN, "v1")
        answers = [pull_old(client, "a", "v1").json() for _ in range(8)]

    own = json.loads(Signer.read(str(pair.key)).sign(payload()))
    assert {one["signatures"][0]["header"]["jwk"]["kid"] for one in answers} == {
        own["signatures"][0]["header"]["jwk"]["kid"]
    }


def test_where_it_is_off_it_is_neither_taken_nor_given(tmp_path: Path) -> None:
    """Other manifests are served as they are, whatever a client accepts."""
    root, name = tmp_path / "data", fresh_name()
    with (
        Server(tmp_path / "on", {"compatibility": {"schema1": {"enabled": True}}}, root=root) as on,
        on.client() as client,
    ):
        repository = Repository(client, name)
        content = payload(repository.push_blob(b"layer"))
        repository.push(PLAIN, "new")
        assert repository.put_bytes("old", SIGNER.sign(content), SIGNED).status_code == 201

    with Server(tmp_path / "off", root=root) as off, off.client() as client:
        repository = Repository(client, name)
        for media_type in (SIGNED, "application/json", None):
            answer = repository.put_bytes("old", SIGNER.sign(content), media_type)
            check_refusal(answer, 400, "MANIFEST_INVALID")
        for reference in ("old", digest_of(content, "sha256")):
            check_refusal(repository.get(f"manifests/{reference}"), 404, "MANIFEST_UNKNOWN")
            check_refusal(repository.head(f"manifests/{reference}"), 404)
        assert pull_old(client, name, "new").content == PLAIN.content
        assert repository.delete(f"manifests/{digest_of(content, 'sha256')}").status_code == 202
