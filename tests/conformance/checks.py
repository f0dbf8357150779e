"""How a shape is pushed, and what must be true of each answer about it."""

import httpx

from entrepot.oci.descriptor import OCI_INDEX, OCI_MANIFEST
from entrepot.testing.images import SampleManifest
from tests.conformance.shapes import Shape
from tests.repositories import Repository

ACCEPT = {"Accept": f"{OCI_INDEX}, {OCI_MANIFEST}"}
"""What a client of the OCI types sends; Docker types must be served to it all the same."""


def push(repository: Repository, shape: Shape) -> None:
    """Push as the conformance program does: blobs, manifests by digest, then those tags that are not set yet."""
    for blob in shape.all_blobs():
        repository.push_blob(blob)
    for made in shape.all_manifests():
        tags = shape.tags_of(made) if shape.tag_parameters else []
        check_push(repository, repository.put_manifest(made.digest, made, tags=tags), made, tags)
    if not shape.tag_parameters:
        for tag, made in shape.tags.items():
            check_push(repository, repository.put_manifest(tag, made), made, [])


def check_push(repository: Repository, answer: httpx.Response, made: SampleManifest, tags: list[str]) -> None:
    """A push names the digest, the subject if there is one, the tags of its parameters, and where to pull from."""
    assert answer.status_code == 201, answer.text
    assert answer.headers["Docker-Content-Digest"] == made.digest
    assert answer.headers.get("OCI-Subject") == made.members.get("subject", {}).get("digest")
    accepted = {tag.strip() for line in answer.headers.get_list("OCI-Tag") for tag in line.split(",")}
    assert accepted == set(tags)
    check_pull(repository.client.get(answer.headers["Location"], headers=ACCEPT), made)


def check_pull(answer: httpx.Response, made: SampleManifest) -> None:
    """A pull gives the bytes that were pushed, under the type they were pushed as."""
    check_head(answer, made)
    assert answer.content == made.content


def check_head(answer: httpx.Response, made: SampleManifest) -> None:
    """The headers tell type, length and digest."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == made.media_type
    assert answer.headers["Content-Length"] == str(len(made.content))
    assert answer.headers["Docker-Content-Digest"] == made.digest


def references(shape: Shape) -> list[tuple[str, SampleManifest]]:
    """Every way to name a manifest of the shape."""
    return [*shape.tags.items(), *((made.digest, made) for made in shape.all_manifests())]


def by_digest(descriptor: dict[str, object]) -> str:
    """The order to compare two lists in."""
    return str(descriptor["digest"])
