"""A little of everything that a registry holds: pushed to one server, and compared byte for byte with another."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from entrepot.testing.images import DOCKER, SampleBlob, SampleManifest, artifact, image, index, nested_index
from tests.repositories import Repository

CANONICAL = "sha256"


@dataclass(frozen=True, slots=True)
class Pushed:
    """A manifest with its blobs in one repository, and the tags that name it."""

    repository: str
    manifest: SampleManifest
    tags: Sequence[str] = ()


def everything() -> list[Pushed]:
    """Both families of media types, indexes, a referrer, deep and odd names, shared layers, an empty layer."""
    signed = image()
    return [
        Pushed("oci/image", signed, ["v1", "latest"]),
        Pushed("oci/image", artifact("application/vnd.example.sbom", subject=signed)),
        Pushed("oci/copy", signed, ["v1"]),
        Pushed("oci/index", index(), ["v1"]),
        Pushed("oci/index/deep/er", nested_index(2), ["A_.-9"]),
        Pushed("docker", image(form=DOCKER), ["v2"]),
        Pushed("docker", index(form=DOCKER), ["list"]),
        Pushed("registry.example.com/name-with_all.of__it", image(1), ["v1"]),
        Pushed("empty", image([SampleBlob(b"", "application/vnd.oci.image.layer.v1.tar")]), ["v1"]),
    ]


def push(client: httpx.Client, contents: Sequence[Pushed]) -> None:
    """Push everything to a registry."""
    for pushed in contents:
        repository = Repository(client, pushed.repository)
        if pushed.manifest.algorithm == CANONICAL:
            repository.push(pushed.manifest, *pushed.tags)
        else:
            # A PUT under a tag makes the canonical digest; only one under the digest itself keeps another.
            repository.push(pushed.manifest)
            answer = repository.put_manifest(pushed.manifest.digest, pushed.manifest, tags=pushed.tags)
            assert answer.status_code == 201, answer.text


def compare(client: httpx.Client, contents: Sequence[Pushed]) -> None:
    """Assert that a registry serves exactly these tags, and all of these manifests and blobs byte for byte."""
    for pushed in contents:
        repository = Repository(client, pushed.repository)
        for manifest in pushed.manifest.in_push_order():
            compare_manifest(repository, manifest.digest, manifest)
        for tag in pushed.tags:
            compare_manifest(repository, tag, pushed.manifest)
        for blob in pushed.manifest.all_blobs():
            compare_blob(repository, blob)
    for name in {pushed.repository for pushed in contents}:
        tags = {tag for pushed in contents if pushed.repository == name for tag in pushed.tags}
        assert set(Repository(client, name).tags()) == tags
    assert sorted({pushed.repository for pushed in contents}) == client.get("/v2/_catalog").json()["repositories"]


def compare_manifest(repository: Repository, reference: str, manifest: SampleManifest) -> None:
    """Assert that GET and HEAD answer with this manifest, its type and its digest."""
    for answer in (
        repository.get(f"manifests/{reference}", headers={"Accept": manifest.media_type}),
        repository.head(f"manifests/{reference}", headers={"Accept": manifest.media_type}),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == manifest.media_type
        assert answer.headers["Docker-Content-Digest"] == manifest.digest
        assert int(answer.headers["Content-Length"]) == len(manifest.content)
        assert answer.request.method == "HEAD" or answer.content == manifest.content


def compare_blob(repository: Repository, blob: SampleBlob) -> None:
    """Assert that GET answers with this blob."""
    answer = repository.get(f"blobs/{blob.digest}")
    assert answer.status_code == 200, answer.text
    assert answer.content == blob.content
