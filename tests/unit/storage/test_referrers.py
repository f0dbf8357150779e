"""Referrers: found by their subject, filtered, in pages; also those that a client noted in the fall-back tag."""

import pytest

from entrepot.driver import Driver
from entrepot.oci.descriptor import OCI_INDEX, OCI_MANIFEST, Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.local import LocalRegistry, LocalRepository
from entrepot.testing.images import Extras, SampleManifest, artifact, image, index
from entrepot.testing.registry_contents import push, upload

APP, OTHER = RepositoryName.parse("library/app"), RepositoryName.parse("library/other")
SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"
ABSENT = Digest.of(b"absent")


async def referrers(
    repository: LocalRepository, subject: SampleManifest, kind: str | None = None, after: str = "", limit: int = 1000
) -> Page[Descriptor]:
    """What refers to a manifest."""
    return await repository.referrers(Digest.parse(subject.digest), kind, after, limit)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_a_referrer_is_described_by_what_it_says_of_itself(repository: LocalRepository, algorithm: str) -> None:
    """Media type, digest, size, artifact type and annotations of the manifest, whatever kind of manifest it is."""
    subject = image(1, algorithm=algorithm)
    await push(repository, subject)
    made = [
        artifact(SBOM, subject=subject, annotations={"org.example.tool": "x"}, algorithm=algorithm),
        image(1, extras=Extras(subject=subject), algorithm=algorithm),
        index([], extras=Extras(artifact_type=SIGNATURE, subject=subject, annotations={"a": "b"}), algorithm=algorithm),
    ]
    for one in made:
        await push(repository, one)

    found = {one.digest: one for one in (await referrers(repository, subject)).items}

    def expected(one: SampleManifest, kind: str, **annotations: str) -> Descriptor:
        return Descriptor(one.media_type, Digest.parse(one.digest), len(one.content), annotations, kind)

    assert found == {
        made[0].digest: expected(made[0], SBOM, **{"org.example.tool": "x"}),
        made[1].digest: expected(made[1], "application/vnd.oci.image.config.v1+json"),
        made[2].digest: expected(made[2], SIGNATURE, a="b"),
    }


async def test_the_subject_need_not_be_there(repository: LocalRepository) -> None:
    """Before it is pushed, and after it was deleted, its referrers are listed as ever."""
    subject = image(1)
    digest = await push(repository, artifact(SBOM, subject=subject))
    assert [one.digest for one in (await referrers(repository, subject)).items] == [digest]

    await push(repository, subject)
    await repository.delete_manifest(Digest.parse(subject.digest))
    assert [one.digest for one in (await referrers(repository, subject)).items] == [digest]


async def test_what_nobody_refers_to_has_none(registry: LocalRegistry) -> None:
    """An empty list for an unknown subject, an unknown repository, and a subject that others refer to elsewhere."""
    subject = image(1)
    await push(registry.writer(OTHER), artifact(SBOM, subject=subject))
    nothing: Page[Descriptor] = Page([], more=False)

    assert await registry.reader(APP).referrers(ABSENT, None, "", 10) == nothing
    assert await referrers(registry.reader(APP), subject) == nothing
    assert await registry.reader(OTHER).referrers(ABSENT, None, "", 10) == nothing


async def test_pages_hold_what_is_left_by_the_filter(repository: LocalRepository) -> None:
    """In order of digests, each once, full pages until the last; the filter comes first."""
    subject = index([])
    made = {}
    for number in range(20):
        one = index([], extras=Extras(artifact_type=(SBOM, SIGNATURE, SIGNATURE)[number % 3], subject=subject))
        one = one.with_members(annotations={"n": str(number)})
        made[await push(repository, one)] = one.members["artifactType"]

    for kind in (None, SBOM, SIGNATURE, "application/vnd.example.other"):
        expected = sorted(digest for digest, its_kind in made.items() if kind in (None, its_kind))
        for limit in (1, 2, 3, 7, 20, 100):
            assert await all_pages(repository, subject, kind, limit) == expected


async def all_pages(repository: LocalRepository, subject: SampleManifest, kind: str | None, limit: int) -> list[Digest]:
    """What all pages hold; each but the last must be full."""
    found: list[Digest] = []
    page: Page[Descriptor] = Page((), more=True)
    while page.more:
        page = await referrers(repository, subject, kind, found[-1] if found else "", limit)
        assert len(page.items) <= limit
        assert len(page.items) == limit or not page.more
        found += [one.digest for one in page.items]
    return found


@pytest.mark.parametrize("after", ["", "a", "sha256:", "sha256:" + "f" * 64, "sha512:", "~", "é"])
async def test_a_page_may_begin_anywhere(repository: LocalRepository, after: str) -> None:
    """Both algorithms are one list; what the client sends need be no digest."""
    subject = index([])
    made = [index([], extras=Extras(subject=subject), algorithm=algorithm) for algorithm in ("sha256", "sha512")]
    for one in made:
        await push(repository, one)

    page = await referrers(repository, subject, after=after)

    assert [one.digest for one in page.items] == [one.digest for one in made if one.digest > after]


async def test_a_referrer_that_is_gone_is_left_out(registry: LocalRegistry) -> None:
    """A link that leads to no manifest of this repository, or to a damaged one, or is no digest, lists nothing."""
    repository = registry.writer(APP)
    subject = image(1)
    kept = await push(repository, artifact(SBOM, subject=subject))
    damaged, elsewhere = artifact(SBOM, subject=subject), artifact(SBOM, subject=subject)
    await push(repository, damaged)
    await push(registry.writer(OTHER), elsewhere)
    links = layout.referrers(APP, Digest.parse(subject.digest))
    await registry.driver.put(layout.blob_data(Digest.parse(damaged.digest)), b"{}")
    for path in (f"sha256/{ABSENT.encoded}/link", f"sha256/{elsewhere.digest[7:]}/link", "sha256/junk/link", "junk"):
        await registry.driver.put(f"{links}/{path}", ABSENT.encode())

    assert [one.digest for one in (await referrers(repository, subject)).items] == [kept]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_the_fall_back_tag_is_read_too(driver: Driver, repository: LocalRepository, algorithm: str) -> None:
    """A client that met a registry without this API kept an index under `<algorithm>-<64 hex digits>` instead."""
    subject = image(1, algorithm=algorithm)
    await push(repository, subject)
    linked = artifact(SBOM, subject=subject)
    # Distribution stored these and made no link: the same is what is left when ours are taken away.
    noted = [artifact(SIGNATURE, subject=subject), artifact(SBOM, subject=subject)]
    stranger = artifact(SBOM)
    for one in (linked, *noted, stranger):
        await push(repository, one)
    for one in noted:
        await driver.delete(layout.referrer_link(APP, Digest.parse(subject.digest), Digest.parse(one.digest)))
    of_subject = index([*noted, linked, stranger])
    await push(repository, of_subject, f"{algorithm}-{subject.digest[7:][:64]}")

    found = (await referrers(repository, subject)).items

    assert [one.digest for one in found] == sorted(one.digest for one in (linked, *noted))
    signatures = (await referrers(repository, subject, SIGNATURE)).items
    assert [(one.digest, one.media_type) for one in signatures] == [(noted[0].digest, OCI_MANIFEST)]


async def test_a_fall_back_tag_that_is_no_index_lists_nothing(repository: LocalRepository) -> None:
    """Anybody can set such a tag to anything; also an index whose children were deleted."""
    subjects = [image(1), image(1), image(1)]
    gone = index()
    await push(repository, image(1), _fall_back(subjects[0]))
    await push(repository, gone, _fall_back(subjects[1]))
    for child in gone.children:
        await repository.delete_manifest(Digest.parse(child.digest))
    await push(repository, image(1), _fall_back(subjects[2]))
    await repository.delete_manifest(await repository.resolve(Tag(_fall_back(subjects[2]))))

    for subject in subjects:
        assert (await referrers(repository, subject)).items == []


async def test_a_manifest_that_says_it_is_its_own_subject_is_no_loop(repository: LocalRepository) -> None:
    """Two that refer to each other by guessed digests can not be made, but a chain of subjects is one list each."""
    first = image(1)
    second = artifact(SBOM, subject=first)
    third = artifact(SIGNATURE, subject=second)
    for one in (first, second, third):
        await push(repository, one)

    assert [one.digest for one in (await referrers(repository, first)).items] == [second.digest]
    assert [one.digest for one in (await referrers(repository, second)).items] == [third.digest]
    assert (await referrers(repository, third)).items == []


async def test_a_blob_can_be_a_subject(repository: LocalRepository) -> None:
    """The spec says "any digest": what it is called in `subject` is all that counts."""
    digest = (await upload(repository, b"hello")).digest
    of_blob = {"mediaType": OCI_INDEX, "digest": digest, "size": 5}
    pushed = await push(repository, artifact(SBOM, subject=of_blob))

    assert [one.digest for one in (await repository.referrers(digest, None, "", 10)).items] == [pushed]


def _fall_back(subject: SampleManifest) -> str:
    return f"sha256-{subject.digest[7:]}"
