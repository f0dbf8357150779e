"""Manifests that must not be taken: not JSON, ambiguous, incomplete, too large; nothing of them is stored."""

import json
from typing import Any

import pytest

from entrepot.oci.descriptor import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from entrepot.testing.images import DOCKER, SampleManifest, image, image_of_size, index, random_blob
from tests.api.checks import check_refusal
from tests.api.raw import RawConnection
from tests.repositories import Repository, error_codes
from tests.servers import Server

LIMIT = 4 * 1024 * 1024


def refuse(
    repository: Repository, content: bytes, media_type: str | None, status: int = 400, code: str = "MANIFEST_INVALID"
) -> None:
    """The bytes are refused, and neither the tag nor the repository comes into being."""
    check_refusal(repository.put_bytes("latest", content, media_type), status, code)
    assert repository.head("manifests/latest").status_code == 404


WRONG = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "number": b"1",
    "text": b'"manifest"',
    "true": b"true",
    "no json": b"schemaVersion: 2",
    "half": b'{"schemaVersion": 2,',
    "empty object": b"{}",
    "html": b"<!DOCTYPE html><html></html>",
    "utf-16": '{"schemaVersion": 2}'.encode("utf-16"),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST])
def test_no_manifest_at_all(repository: Repository, content: bytes, media_type: str) -> None:
    """F-031: what is no JSON object, or an empty one, is no manifest."""
    refuse(repository, content, media_type)


def spoiled(made: SampleManifest) -> dict[str, bytes]:
    """A good manifest spoiled in ways that two parsers might read differently, or that break one."""
    good = made.content
    return {
        "depth 100000": good[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "depth 1000": good[:-1] + b',"x":' + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"}",
        "open brackets only": b"[" * 1_000_000,
        "mediaType twice": good[:-1] + b',"mediaType":"' + made.media_type.encode() + b'"}',
        "layers twice": good[:-1] + b',"layers":[]}',
        "config twice": good[:-1] + b',"config":' + json.dumps(made.members["config"]).encode() + b"}",
        "NaN": good[:-1] + b',"x":NaN}',
        "Infinity": good[:-1] + b',"x":-Infinity}',
        "bad utf-8": good[:-1] + b',"x":"\xff\xfe"}',
        "lone continuation": good[:-1] + b',"x":"\x80"}',
        "BOM": b"\xef\xbb\xbf" + good,
        "trailing junk": good + b"junk",
        "two objects": good + good,
        "trailing NUL": good + b"\x00",
        "trailing comma": good[:-1] + b",}",
        "comment": b"/* */" + good,
        "single quotes": good.replace(b'"', b"'"),
        "raw newline in a string": good[:-1] + b',"x":"\n"}',
    }


@pytest.mark.parametrize("fault", spoiled(image(1)))
def test_spoiled(repository: Repository, fault: str) -> None:
    """F-031, R40: JSON that is broken, ambiguous or bottomless is refused although all it names is there."""
    made = image(1)
    repository.push_blobs(made)

    refuse(repository, spoiled(made)[fault], made.media_type)


def test_many_layers(repository: Repository) -> None:
    """F-031: a manifest of as many descriptors as fit is answered, naming what is missing, and the server lives on."""
    bare = image(0)
    repository.push_blobs(bare)
    layer = random_blob().descriptor()
    made = bare.with_members(layers=[layer | {"digest": f"sha256:{number:064x}"} for number in range(25_000)])
    assert len(made.content) < LIMIT

    answer = repository.put_manifest("latest", made)

    assert answer.status_code in (400, 413)
    assert repository.client.get("/v2/").status_code == 200


@pytest.mark.parametrize("form", ["oci", "docker"])
def test_both_image_and_index(repository: Repository, form: str) -> None:
    """R2, F-032: a body with manifests beside config or layers is refused under either type (CVE-2021-41190)."""
    one = image() if form == "oci" else image(form=DOCKER)
    many = index([one]) if form == "oci" else index([one], DOCKER)
    repository.push(one)

    image_too = one.with_members(manifests=[])
    index_too = [many.with_members(layers=[]), many.with_members(config=one.members["config"])]
    for made in (image_too, *index_too):
        refuse(repository, made.content, made.media_type)
        untyped = made.with_members(mediaType=None)
        refuse(repository, untyped.content, one.media_type)
        refuse(repository, untyped.content, many.media_type)
        refuse(repository, untyped.content, None)


TYPES = [OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_LIST, "application/json", "application/octet-stream", "x/y"]


@pytest.mark.parametrize("made", [image(), image(form=DOCKER), index(), index(form=DOCKER)], ids=TYPES[:4])
def test_other_type_than_declared(repository: Repository, made: SampleManifest) -> None:
    """R2, F-032: a body whose mediaType is not the Content-Type is refused."""
    for declared in TYPES:
        if declared != made.media_type:
            refuse(repository, made.content, declared)


def test_stored_type_stays(repository: Repository) -> None:
    """R2: once a digest is stored under one type, no later push changes what it is served as."""
    made = image()
    repository.push(made, "latest")

    for declared in TYPES[1:]:
        repository.put_bytes(made.digest, made.content, declared)

    assert repository.get(f"manifests/{made.digest}").headers["Content-Type"] == made.media_type
    assert repository.get("manifests/latest").headers["Content-Type"] == made.media_type


@pytest.mark.parametrize("declared", ["application/json", "application/vnd.example.unknown+json", "text/html"])
def test_unknown_type_that_the_body_does_not_name(repository: Repository, declared: str) -> None:
    """F-032: an unknown type is taken only from a body that says it is that."""
    refuse(repository, b'{"schemaVersion": 2, "anything": true}', declared)


@pytest.mark.parametrize("declared", [DOCKER_MANIFEST, DOCKER_LIST])
def test_docker_type_is_mandatory(repository: Repository, declared: str) -> None:
    """A Docker manifest must name its type in its body."""
    made = (image(form=DOCKER) if declared == DOCKER_MANIFEST else index([], DOCKER)).with_members(mediaType=None)
    repository.push_blobs(made)

    refuse(repository, made.content, declared)


@pytest.mark.parametrize("version", [None, 0, 1, 3, "2", 2.5, True, [2]])
def test_schema_version(repository: Repository, version: object) -> None:
    """Every known type is of schema version 2."""
    bare = image()
    content = json.dumps(bare.members | {"schemaVersion": version}).encode()

    refuse(repository, content, OCI_MANIFEST)


SCHEMA1 = {
    "schemaVersion": 1,
    "name": "t/x",
    "tag": "latest",
    "architecture": "amd64",
    "fsLayers": [],
    "history": [],
    "signatures": [{"header": {}, "signature": "x", "protected": "x"}],
}
SCHEMA1_TYPES = [
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/json",
    None,
]


@pytest.mark.parametrize("declared", SCHEMA1_TYPES)
def test_schema1(repository: Repository, declared: str | None) -> None:
    """F-032: Docker's first manifest format is refused as invalid, whatever it is declared as."""
    refuse(repository, json.dumps(SCHEMA1).encode(), declared)


DESCRIPTORS: dict[str, dict[str, object]] = {
    "negative size": {"size": -1},
    "size as text": {"size": "1"},
    "size true": {"size": True},
    "size 1.5": {"size": 1.5},
    "size null": {"size": None},
    "size list": {"size": [1]},
    "size 2^63": {"size": 2**63},
    "size 2^64": {"size": 2**64},
    "size 10^400": {"size": 10**400},
    "digest short": {"digest": "sha256:abc"},
    "digest null": {"digest": None},
    "digest number": {"digest": 1},
    "digest sha1": {"digest": "sha1:" + "0" * 40},
    "digest traversal": {"digest": "sha256:../../../../../../etc/passwd"},
    "mediaType number": {"mediaType": 1},
    "mediaType list": {"mediaType": ["a"]},
    "urls text": {"urls": "https://example.com/"},
    "urls of numbers": {"urls": [1]},
    "annotations list": {"annotations": []},
    "annotations of numbers": {"annotations": {"a": 1}},
}


@pytest.mark.parametrize("fault", DESCRIPTORS)
@pytest.mark.parametrize("place", ["config", "layers", "manifests", "subject"])
def test_bad_descriptor(repository: Repository, place: str, fault: str) -> None:
    """F-035, R39: a descriptor with members of wrong types or out of bounds makes the manifest invalid."""
    made = index() if place == "manifests" else image()
    right = made.members.get(place, image().descriptor())
    wrong = [right[0] | DESCRIPTORS[fault]] if isinstance(right, list) else right | DESCRIPTORS[fault]
    content = json.dumps(made.members | {place: wrong}).encode()

    refuse(repository, content, made.media_type)


def test_size_in_scientific_notation(repository: Repository) -> None:
    """F-035: `1e3` is no whole number of bytes as the specification writes them."""
    made = image(1)
    repository.push_blobs(made)
    size = str(len(made.blobs[0].content)).encode()

    refuse(repository, made.content.replace(b'"size":' + size, b'"size":1e3', 1), made.media_type)


PLACES: dict[str, object] = {
    "layers object": {"layers": {}},
    "layers text": {"layers": "none"},
    "layer null": {"layers": [None]},
    "layer text": {"layers": ["sha256:" + "0" * 64]},
    "config list": {"config": []},
    "config text": {"config": "sha256:" + "0" * 64},
    "subject list": {"subject": []},
    "subject text": {"subject": "sha256:" + "0" * 64},
    "annotations list": {"annotations": []},
    "annotations of numbers": {"annotations": {"a": 1}},
    "artifactType number": {"artifactType": 1},
    "artifactType with a line break": {"artifactType": "a\r\nX-Injected: yes"},
    "no config": {"config": None},
}


@pytest.mark.parametrize("members", PLACES.values(), ids=PLACES)
def test_members_of_wrong_types(repository: Repository, members: dict[str, Any]) -> None:
    """F-031: known members hold what the specification says, or the manifest is invalid."""
    made = image()
    changed = {key: value for key, value in (made.members | members).items() if value is not None}

    refuse(repository, json.dumps(changed).encode(), made.media_type)


def test_other_size_than_the_real_one(repository: Repository) -> None:
    """F-035: a wrong but possible size of a blob is taken, as Distribution does."""
    made = image(1)
    repository.push_blobs(made)
    layers = [made.blobs[1].descriptor(size=12345)]

    assert repository.put_manifest("latest", made.with_members(layers=layers)).status_code == 201


def test_each_missing_blob_is_named(repository: Repository) -> None:
    """F-034: one error for the config and for each layer that is missing, fewer as they arrive, none at last."""
    made = image(2)
    missing = [blob.digest for blob in made.blobs]

    for blob in made.blobs:
        answer = repository.put_manifest("latest", made)
        check_refusal(answer, 400, *["MANIFEST_BLOB_UNKNOWN"] * len(missing))
        assert [error["detail"] for error in answer.json()["errors"]] == missing
        assert repository.head("manifests/latest").status_code == 404
        assert repository.head(f"manifests/{made.digest}").status_code == 404
        missing.remove(repository.push_blob(blob))

    assert repository.put_manifest("latest", made).status_code == 201


def test_each_missing_child_is_named(repository: Repository) -> None:
    """F-034: children of an index must be manifests of this repository; each one missing is one error."""
    made = index()
    first, second = made.children
    repository.push(first)
    repository.sibling().push(second)

    answer = repository.put_manifest("latest", made)

    check_refusal(answer, 400, "MANIFEST_BLOB_UNKNOWN")
    assert answer.json()["errors"][0]["detail"] == second.digest
    repository.push(second)
    assert repository.put_manifest("latest", made).status_code == 201


def test_child_that_is_only_a_blob(repository: Repository) -> None:
    """F-034: bytes of a manifest uploaded as a blob are no child."""
    child = image(0)
    repository.push_blobs(child)
    repository.push_blob(child.content)

    check_refusal(repository.put_manifest("latest", index([child])), 400, "MANIFEST_BLOB_UNKNOWN")


def test_blobs_of_another_repository(repository: Repository) -> None:
    """R10: what only another repository holds is missing here."""
    made = image()
    repository.sibling().push(made)

    answer = repository.put_manifest("latest", made)

    check_refusal(answer, 400, *["MANIFEST_BLOB_UNKNOWN"] * 3)


def test_index_of_itself(repository: Repository) -> None:
    """F-036: an index cannot hold itself, since nobody can guess its digest; a guess is a missing child."""
    itself = index([]).with_members(manifests=[index([]).descriptor()])

    check_refusal(repository.put_manifest("latest", itself), 400, "MANIFEST_BLOB_UNKNOWN")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_digest_of_other_bytes(repository: Repository, algorithm: str) -> None:
    """F-033: bytes pushed under a digest that is not theirs are refused; nothing is stored under either."""
    made, other = image(algorithm=algorithm), image(algorithm=algorithm)
    repository.push_blobs(made)

    check_refusal(repository.put_manifest(other.digest, made, tags=["latest"]), 400, "DIGEST_INVALID")

    for digest in (made.digest, other.digest):
        assert repository.head(f"manifests/{digest}").status_code == 404
    assert repository.head("manifests/latest").status_code == 404


@pytest.mark.parametrize("excess", [1, 1000, 10 * LIMIT])
@pytest.mark.parametrize("streamed", [False, True], ids=["length", "chunked"])
def test_too_large(repository: Repository, excess: int, streamed: bool) -> None:
    """R1, R15: one byte above 4 MiB is too much, with and without a Content-Length."""
    made = image_of_size(LIMIT)
    repository.push_blobs(made)
    content = made.content + b" " * excess

    body = (content[start : start + 65536] for start in range(0, len(content), 65536)) if streamed else content
    answer = repository.put_bytes("latest", body, made.media_type)

    check_refusal(answer, 413, "MANIFEST_INVALID")
    assert repository.head("manifests/latest").status_code == 404


def test_too_large_is_told_before_the_body(filesystem_server: Server) -> None:
    """R1: a length that cannot be taken is refused at once, although no byte of the body was sent."""
    with RawConnection(filesystem_server.port) as connection:
        length = str(10**12)
        connection.send_head("PUT", "/v2/t/large/manifests/latest", Content_Length=length, Content_Type=OCI_MANIFEST)
        status, _, body = connection.answer("PUT")

    assert status == 413
    assert json.loads(body)["errors"][0]["code"] == "MANIFEST_INVALID"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x-unknown"])
def test_encoded_body(repository: Repository, encoding: str) -> None:
    """F-023, R30: a body in a Content-Encoding is refused unread."""
    made = image(0)
    repository.push_blobs(made)

    answer = repository.put_bytes("latest", made.content, made.media_type, headers={"Content-Encoding": encoding})

    assert answer.status_code == 415
    assert error_codes(answer) == ["UNSUPPORTED"]
    assert repository.head("manifests/latest").status_code == 404
