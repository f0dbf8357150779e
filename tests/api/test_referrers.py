"""Referrers: who is listed, filters, pages, and lists that clients kept under a tag before there was this route."""

import json
from typing import Any

import pytest

from entrepot.oci.descriptor import OCI_INDEX
from entrepot.testing.images import (
    DOCKER,
    OCI_EMPTY,
    Extras,
    SampleBlob,
    SampleManifest,
    artifact,
    image,
    index,
)
from tests.api.checks import check_refusal
from tests.repositories import Repository, next_page

SIGNATURE = "application/vnd.example.signature.v1"
SBOM = "application/vnd.example.sbom+json;version=1"


@pytest.fixture(params=["sha256", "sha512"])
def subject(request: pytest.FixtureRequest) -> SampleManifest:
    """What others refer to."""
    return image(0, algorithm=request.param)


def refer(repository: Repository, subject: SampleManifest, artifact_type: str = SIGNATURE) -> SampleManifest:
    """Push one more artifact about the subject."""
    made = artifact(artifact_type, subject=subject)
    repository.push(made)
    return made


def listed(repository: Repository, subject: str, **parameters: str) -> list[str]:
    """The digests of one page, in order of digests."""
    return sorted(entry["digest"] for entry in repository.referrers(subject, **parameters))


@pytest.mark.parametrize("digest", [f"sha256:{'0' * 64}", f"sha512:{'f' * 128}"], ids=["sha256", "sha512"])
def test_nothing_refers(repository: Repository, digest: str) -> None:
    """F-037: an unknown digest has an empty index, in an unknown repository and in a known one."""
    for _ in range(2):
        answer = repository.get(f"referrers/{digest}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == OCI_INDEX
        assert answer.json() == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        assert "Link" not in answer.headers
        repository.push(image(0))


@pytest.mark.parametrize("subject_first", [True, False], ids=["subject first", "referrer first"])
def test_order_of_pushes_does_not_matter(repository: Repository, subject: SampleManifest, subject_first: bool) -> None:
    """A referrer is listed at once, whether the subject comes before it, after it, or never."""
    if subject_first:
        repository.push(subject)
    made = refer(repository, subject)
    if not subject_first:
        assert listed(repository, subject.digest) == [made.digest]
        repository.push(subject)

    assert listed(repository, subject.digest) == [made.digest]


def test_descriptor_tells_type_and_annotations(repository: Repository, subject: SampleManifest) -> None:
    """An artifact is listed with its own artifactType, size and annotations, and nothing else."""
    said = {"org.example.a": "1", "org.example.b": "\u00fc\n"}
    made = artifact(SIGNATURE, subject=subject, annotations=said)
    repository.push(made)

    assert repository.referrers(subject.digest) == [made.descriptor(artifactType=SIGNATURE, annotations=said)]


def test_type_of_an_image_is_that_of_its_config(repository: Repository, subject: SampleManifest) -> None:
    """Without an artifactType the config's media type stands in."""
    made = image(0, extras=Extras(subject=subject))
    repository.push(made)

    expected = made.descriptor(artifactType=made.members["config"]["mediaType"])
    assert repository.referrers(subject.digest) == [expected]


def test_type_of_an_index_is_its_own_or_none(repository: Repository, subject: SampleManifest) -> None:
    """An index without an artifactType is listed without one."""
    typed, untyped = index([], extras=Extras(SIGNATURE, subject)), index([], extras=Extras(None, subject))
    repository.push(typed)
    repository.push(untyped)

    found = {entry["digest"]: entry for entry in repository.referrers(subject.digest)}
    assert found == {
        typed.digest: typed.descriptor(artifactType=SIGNATURE),
        untyped.digest: untyped.descriptor(),
    }


def test_docker_image_with_a_subject(repository: Repository, subject: SampleManifest) -> None:
    """A Docker manifest may have a subject too."""
    made = image(0, DOCKER, Extras(subject=subject))
    repository.push(made)

    assert listed(repository, subject.digest) == [made.digest]


def test_only_of_this_repository(repository: Repository, subject: SampleManifest) -> None:
    """R10: what refers to the same digest in another repository is not listed here."""
    refer(repository.sibling(), subject)

    assert repository.referrers(subject.digest) == []


def test_referrers_of_a_referrer(repository: Repository, subject: SampleManifest) -> None:
    """Only those that name the very digest are listed, not those that name a referrer of it."""
    signature = refer(repository, subject)
    about_it = refer(repository, signature)

    assert listed(repository, subject.digest) == [signature.digest]
    assert listed(repository, signature.digest) == [about_it.digest]


def test_pushed_twice_is_listed_once(repository: Repository, subject: SampleManifest) -> None:
    """By digest, by tag, and again."""
    made = artifact(SIGNATURE, subject=subject)
    for _ in range(2):
        repository.push(made, "sig")

    assert listed(repository, subject.digest) == [made.digest]


def test_deleted_referrer(repository: Repository, subject: SampleManifest) -> None:
    """A deleted manifest is no referrer any more; one pushed again is."""
    kept, gone = refer(repository, subject), refer(repository, subject)

    assert repository.delete(f"manifests/{gone.digest}").status_code == 202
    assert listed(repository, subject.digest) == [kept.digest]
    repository.push(gone)
    assert listed(repository, subject.digest) == sorted([kept.digest, gone.digest])


def test_deleted_subject(repository: Repository, subject: SampleManifest) -> None:
    """Deleting the subject leaves those that refer to it, and their list."""
    repository.push(subject)
    made = refer(repository, subject)

    assert repository.delete(f"manifests/{subject.digest}").status_code == 202
    assert listed(repository, subject.digest) == [made.digest]
    assert repository.head(f"manifests/{made.digest}").status_code == 200


def test_untagged_referrer(repository: Repository, subject: SampleManifest) -> None:
    """Deleting a referrer's tag does not unlist it."""
    made = artifact(SIGNATURE, subject=subject)
    repository.push(made, "sig")
    repository.delete("manifests/sig")

    assert listed(repository, subject.digest) == [made.digest]


def test_filter(repository: Repository, subject: SampleManifest) -> None:
    """F-037: a filter leaves exactly one type and says that it was applied; without it no such header is there."""
    signature, sbom = refer(repository, subject), refer(repository, subject, SBOM)

    for wanted, expected in ((SIGNATURE, [signature.digest]), (SBOM, [sbom.digest]), (OCI_EMPTY, [])):
        answer = repository.get(f"referrers/{subject.digest}", params={"artifactType": wanted})
        assert answer.headers["OCI-Filters-Applied"] == "artifactType"
        assert [entry["digest"] for entry in answer.json()["manifests"]] == expected
    assert "OCI-Filters-Applied" not in repository.get(f"referrers/{subject.digest}").headers


@pytest.mark.parametrize("wanted", ["a/b\r\nX: y", "\x00", "*", "%", "a" * 5000, "\U0001f600", "../../x"])
def test_strange_filter(repository: Repository, subject: SampleManifest, wanted: str) -> None:
    """F-037: a filter that no artifact can match leaves none."""
    refer(repository, subject)

    answer = repository.get(f"referrers/{subject.digest}", params={"artifactType": wanted})

    assert answer.status_code == 200
    assert answer.json()["manifests"] == []


def test_head(repository: Repository, subject: SampleManifest) -> None:
    """HEAD has the headers of GET and no body."""
    refer(repository, subject)
    looked, read = repository.head(f"referrers/{subject.digest}"), repository.get(f"referrers/{subject.digest}")

    assert looked.status_code == 200
    assert looked.content == b""
    assert looked.headers["Content-Type"] == OCI_INDEX
    assert looked.headers["Content-Length"] == read.headers["Content-Length"]


def follow(repository: Repository, path: str) -> list[list[dict[str, Any]]]:
    """All pages, by their links."""
    pages = []
    answer = repository.get(path)
    while True:
        assert answer.status_code == 200
        assert answer.json()["mediaType"] == OCI_INDEX
        pages.append(answer.json()["manifests"])
        target = next_page(answer)
        if target is None:
            return pages
        answer = repository.client.get(answer.request.url.join(target))


def test_pages(repository: Repository, subject: SampleManifest) -> None:
    """F-036: a long list comes in pages, each an index, that hold every referrer exactly once, filtered or not."""
    made = [refer(repository, subject, SIGNATURE if number % 2 else SBOM) for number in range(12)]

    for query, expected in (("", made), (f"&artifactType={SIGNATURE}", made[1::2])):
        pages = follow(repository, f"referrers/{subject.digest}?n=5{query}")
        found = [entry["digest"] for page in pages for entry in page]
        assert sorted(found) == sorted(one.digest for one in expected)
        assert all(len(page) <= 5 for page in pages)


def test_very_many(repository: Repository, subject: SampleManifest) -> None:
    """F-036: more than a hundred referrers are all listed, in whatever pages the registry chooses."""
    body = image(0).with_members(subject=subject.descriptor())
    repository.push(body)
    made = [body.with_members(annotations={"number": str(number)}) for number in range(120)]
    for one in made:
        assert repository.put_manifest(one.digest, one).status_code == 201

    pages = follow(repository, f"referrers/{subject.digest}")

    found = [entry["digest"] for page in pages for entry in page]
    assert sorted(found) == sorted(one.digest for one in [body, *made])


def fallback_tag(subject: SampleManifest) -> str:
    """The tag under which clients keep the list themselves (OCI distribution-spec, "Referrers Tag Schema")."""
    algorithm, _, encoded = subject.digest.partition(":")
    return f"{algorithm}-{encoded[:64]}"


def kept_list(entries: list[dict[str, Any]]) -> SampleManifest:
    """An index as such a client writes it."""
    content = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    return SampleManifest(content, OCI_INDEX)


def test_list_kept_by_clients_is_merged(repository: Repository, subject: SampleManifest) -> None:
    """What the tag's index lists and this route knows is listed once, with its type and annotations."""
    made = refer(repository, subject)
    entry = made.descriptor(artifactType=SIGNATURE)
    repository.push(kept_list([entry]), fallback_tag(subject))

    assert repository.referrers(subject.digest) == [entry]
    assert listed(repository, subject.digest, artifactType=SIGNATURE) == [made.digest]
    assert listed(repository, subject.digest, artifactType=SBOM) == []


def test_tag_of_that_form_that_is_no_list(repository: Repository, subject: SampleManifest) -> None:
    """An ordinary image under such a tag, or none at all, does no harm."""
    repository.push(image(0), fallback_tag(subject))
    made = refer(repository, subject)

    assert listed(repository, subject.digest) == [made.digest]
    repository.delete(f"manifests/{fallback_tag(subject)}")
    assert listed(repository, subject.digest) == [made.digest]


def test_subject_that_is_no_manifest(repository: Repository) -> None:
    """A subject may be any digest: whatever it stands for need not be a manifest, or exist."""
    blob = SampleBlob(b"some blob")
    repository.push_blob(blob)
    made = artifact(SIGNATURE, subject=blob.descriptor())
    repository.push(made)

    assert listed(repository, blob.digest) == [made.digest]


def test_circle_cannot_be_closed(repository: Repository, subject: SampleManifest) -> None:
    """F-036: two manifests that name each other would need each other's digest: a guess is a list of its own."""
    made = artifact(SIGNATURE, subject=subject)
    repository.push(made)
    answer = subject.with_members(subject=made.descriptor())
    repository.push(answer)

    assert listed(repository, made.digest) == [answer.digest]
    assert listed(repository, answer.digest) == []


@pytest.mark.parametrize("digest", ["latest", "sha256:short", f"sha256:{'A' * 64}", "md5:0", f"{'0' * 64}"])
def test_what_is_no_digest(repository: Repository, digest: str) -> None:
    """F-037: only a digest has referrers."""
    check_refusal(repository.get(f"referrers/{digest}"), 400, "DIGEST_INVALID")
