"""What a walk over the layout finds, on each driver."""

import pytest

from entrepot.driver import Driver
from entrepot.ledger import Holdings, Kind
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.storage.links import write_link
from entrepot.storage.local import LocalRegistry
from entrepot.storage.survey import Survey
from entrepot.testing.images import image, index
from entrepot.testing.registry_contents import push, upload

TEAM = RepositoryName.parse("team/app")
MIRRORED = RepositoryName.parse("library/app")
BELOW = RepositoryName.parse("library/app/below")


@pytest.fixture
def survey(driver: Driver) -> Survey:
    """Of a registry with one tree of pushed content."""
    return Survey(driver, lambda name: name.startswith("team/"))


async def found(survey: Survey) -> list[Holdings]:
    """All parts."""
    return [part async for part in survey.holdings()]


async def test_every_link_is_found_with_its_size_and_what_it_needs(survey: Survey, registry: LocalRegistry) -> None:
    """In nested repositories too, and nothing of what is local."""
    sample = index([image(2)])
    for name in (MIRRORED, BELOW, TEAM):
        await push(registry.writer(name), sample, "latest", "v1")
    parts = await found(survey)
    sizes = {blob.digest: len(blob.content) for blob in sample.all_blobs()}
    manifests = {one.digest: len(one.content) for one in sample.in_push_order()}
    for name in (MIRRORED, BELOW):
        links = [link for part in parts for link in part.links if link.name == name]
        assert {link.digest: link.size for link in links if link.kind is Kind.BLOB} == sizes
        assert {link.digest: link.size for link in links if link.kind is Kind.MANIFEST} == manifests
        tags = [(tag.tag, tag.digest) for part in parts for tag in part.tags if tag.name == name]
        assert tags == [("latest", sample.digest), ("v1", sample.digest)]
    assert all(link.name != TEAM for part in parts for link in part.links)
    needs = {parent: [one.digest for one in some] for part in parts for parent, some in part.needs.items()}
    assert needs == {
        one.digest: [*(blob.digest for blob in one.blobs), *(child.digest for child in one.children)]
        for one in sample.in_push_order()
    }


async def test_a_link_without_content_and_a_damaged_manifest_are_found(
    survey: Survey, registry: LocalRegistry, driver: Driver
) -> None:
    """They can expire as well."""
    digest = await push(registry.writer(MIRRORED), image(1))
    await driver.put(layout.blob_data(digest), b"{}")
    dangling = Digest.of(b"absent")
    await write_link(driver, layout.layer_link(MIRRORED, dangling), dangling)
    parts = await found(survey)
    assert {dangling: 0, digest: 2}.items() <= {link.digest: link.size for part in parts for link in part.links}.items()
    assert {parent: some for part in parts for parent, some in part.needs.items()} == {digest: ()}


async def test_links_that_are_gone_are_absent(survey: Survey, registry: LocalRegistry, driver: Driver) -> None:
    """Of both kinds."""
    await push(registry.writer(MIRRORED), image(1))
    links = [link for part in await found(survey) for link in part.links]
    assert await survey.absent(links) == []
    gone = [link for link in links if link.kind is Kind.MANIFEST]
    await driver.delete(layout.revision_link(MIRRORED, gone[0].digest))
    assert await survey.absent(links) == gone


async def test_what_a_local_repository_links_is_pinned(survey: Survey, registry: LocalRegistry, driver: Driver) -> None:
    """As a blob, as a manifest, or by another name; what only others link is not."""
    sample = image(1)
    manifest = await push(registry.writer(TEAM), sample)
    only_mirrored = (await upload(registry.writer(MIRRORED), b"mirrored")).digest
    aliased = (await upload(registry.writer(MIRRORED), b"aliased")).digest
    await write_link(driver, layout.layer_link(TEAM, Digest.of(b"aliased", "sha512")), aliased)
    blobs = {Digest.parse(blob.digest) for blob in sample.blobs}
    assert await survey.pinned({manifest, only_mirrored, aliased, *blobs}) == {manifest, aliased, *blobs}
