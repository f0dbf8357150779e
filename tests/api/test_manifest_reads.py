"""Reading manifests: by tag and by digest, conditions, Accept; and what is answered when they are not there."""

from collections.abc import Callable
from functools import partial
from itertools import product

import pytest

from entrepot.testing.images import DOCKER, SampleManifest, image, index
from tests.api.checks import check_refusal
from tests.repositories import Repository

KINDS: dict[str, Callable[[], SampleManifest]] = {
    "oci image": image,
    "oci index": index,
    "docker image": partial(image, form=DOCKER),
    "docker list": partial(index, form=DOCKER),
    "oci image, sha512": partial(image, algorithm="sha512"),
}


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest) -> SampleManifest:
    """Each kind of manifest in turn."""
    return KINDS[request.param]()


@pytest.fixture
def references(repository: Repository, made: SampleManifest) -> list[str]:
    """The manifest's digest and its tag, pushed."""
    repository.push(made)
    repository.put_manifest(made.digest, made, tags=["latest"])
    return ["latest", made.digest]


def test_headers(repository: Repository, made: SampleManifest, references: list[str]) -> None:
    """A manifest comes byte for byte with type, length, digest and entity tag."""
    for reference in references:
        answer = repository.get(f"manifests/{reference}")
        assert answer.status_code == 200
        assert answer.content == made.content
        assert answer.headers["Content-Type"] == made.media_type
        assert answer.headers["Content-Length"] == str(len(made.content))
        assert answer.headers["Docker-Content-Digest"] == made.digest
        assert answer.headers["ETag"] == f'"{made.digest}"'


def test_head_agrees_with_get(repository: Repository, references: list[str]) -> None:
    """F-044: HEAD has the headers of GET and no body."""
    for reference in references:
        looked, read = repository.head(f"manifests/{reference}"), repository.get(f"manifests/{reference}")
        assert looked.status_code == 200
        assert looked.content == b""
        for name in ("Content-Type", "Content-Length", "Docker-Content-Digest", "ETag"):
            assert looked.headers[name] == read.headers[name]


ACCEPTS = [
    "",
    "*/*",
    "application/*",
    "text/html",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json;q=0",
    "application/vnd.oci.image.index.v1+json ; q=0.8 ,application/json",
    "*/*;q=0",
    ",;=,;",
    ", ".join(["application/vnd.example.long.v1+json"] * 1000),
]


def test_accept_converts_nothing(repository: Repository, made: SampleManifest, references: list[str]) -> None:
    """F-026: whatever the client accepts, the stored manifest is served as the type it was pushed as."""
    for reference, accept in product(references, ACCEPTS):
        answer = repository.get(f"manifests/{reference}", headers={"Accept": accept})
        assert answer.status_code == 200, accept
        assert answer.content == made.content
        assert answer.headers["Content-Type"] == made.media_type


def test_accept_in_several_lines(repository: Repository, made: SampleManifest, references: list[str]) -> None:
    """F-026: several Accept lines are no different."""
    headers = [("Accept", "text/html"), ("Accept", "application/json ; q=0.8")]
    for reference in references:
        answer = repository.client.get(repository.url(f"manifests/{reference}"), headers=headers)
        assert answer.content == made.content


@pytest.mark.parametrize(
    "query", ["?ns=docker.io", "?ns=", "?unknown=1&n=x", "?tag=x", "?digest=x", "?%00=%FF", "?&&="]
)
def test_parameters_that_mean_nothing_here(repository: Repository, query: str) -> None:
    """Parameters that a pull does not know are ignored, such as `ns`, which clients of mirrors send."""
    made = image(0)
    repository.push(made, "latest")

    assert repository.get(f"manifests/latest{query}").content == made.content
    assert repository.get(f"blobs/{made.blobs[0].digest}{query}").content == made.blobs[0].content
    assert repository.tags() == ["latest"]


MATCHING = ['"{}"', "{}", 'W/"{}"', "*", '"other", "{}"']


def test_condition_that_holds(repository: Repository, made: SampleManifest, references: list[str]) -> None:
    """F-045: by tag and by digest, with GET and HEAD, 304 with the entity tag and no body."""
    for reference, template, method in product(references, MATCHING, ("GET", "HEAD")):
        headers = {"If-None-Match": template.format(made.digest)}
        answer = repository.client.request(method, repository.url(f"manifests/{reference}"), headers=headers)
        assert answer.status_code == 304, template
        assert answer.headers["ETag"] == f'"{made.digest}"'
        assert answer.content == b""


def test_condition_on_a_moved_tag(repository: Repository) -> None:
    """The digest a tag had before is no match any more."""
    first, second = image(1), image(1)
    repository.push(first, "latest")
    repository.push(second, "latest")

    answer = repository.get("manifests/latest", headers={"If-None-Match": f'"{first.digest}"'})

    assert answer.status_code == 200
    assert answer.content == second.content


@pytest.mark.parametrize("reference", ["latest", f"sha256:{'0' * 64}", f"sha512:{'0' * 128}"])
def test_unknown(repository: Repository, reference: str) -> None:
    """An unknown tag or digest is an unknown manifest, in an unknown repository as in a known one."""
    check_refusal(repository.get(f"manifests/{reference}"), 404, "MANIFEST_UNKNOWN")
    repository.push(image(1), "other")
    check_refusal(repository.get(f"manifests/{reference}"), 404, "MANIFEST_UNKNOWN")
    check_refusal(repository.head(f"manifests/{reference}"), 404)


def test_manifest_of_another_repository(repository: Repository) -> None:
    """R10: a manifest that only another repository holds is unknown here, by digest too."""
    made = image(1)
    repository.sibling().push(made, "latest")

    check_refusal(repository.get(f"manifests/{made.digest}"), 404, "MANIFEST_UNKNOWN")
    check_refusal(repository.delete(f"manifests/{made.digest}"), 404, "MANIFEST_UNKNOWN")


def test_digest_of_the_other_algorithm(repository: Repository) -> None:
    """R38: a manifest pushed under its sha512 digest is not thereby known under sha256, unless it is the same bytes."""
    made = image(algorithm="sha512")
    repository.push(made)
    short = SampleManifest(made.content, made.media_type)

    answer = repository.get(f"manifests/{short.digest}")

    assert answer.status_code == 404 or answer.content == made.content


BAD_TAGS = ["a" * 129, ".a", "-a", "a%20b", "%C3%BC", "a%0Ab", "a%00", "a+b", "a@b", "a%5Cb", "%2B", "a!"]


@pytest.mark.parametrize("tag", BAD_TAGS)
def test_bad_tag(repository: Repository, tag: str) -> None:
    """F-028: what can be no tag is refused on PUT, and unknown or refused on GET and DELETE."""
    made = image(0)
    repository.push(made, "latest")

    check_refusal(repository.put_manifest(tag, made), 400, "TAG_INVALID")
    for answer in (repository.get(f"manifests/{tag}"), repository.delete(f"manifests/{tag}")):
        if answer.status_code == 400:
            check_refusal(answer, 400, "TAG_INVALID")
        else:
            check_refusal(answer, 404, "MANIFEST_UNKNOWN")
    assert repository.tags() == ["latest"]


@pytest.mark.parametrize("tag", ["a", "_", "A.b-c_d", "0", "a" * 128, f"sha256-{'0' * 64}", "v1.2.3-rc.1"])
def test_good_tag(repository: Repository, tag: str) -> None:
    """F-028: tags at the edges of the grammar are ordinary tags."""
    made = image(0)
    repository.push(made, tag)

    assert repository.get(f"manifests/{tag}").content == made.content
    assert repository.tags() == [tag]
