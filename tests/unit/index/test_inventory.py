"""What the keeper asks of the index."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.index.inventory import SqliteInventory
from entrepot.ledger import Holdings, Kind, Link
from entrepot.oci.descriptor import OCTET_STREAM, Descriptor
from entrepot.oci.digest import Digest
from tests.caches import APP, FURTHER, OTHER, KeptCache, namespace_of

DIGESTS = [Digest.of(bytes([number])) for number in range(6)]


def blob(number: int, used_at: float, size: int = 10) -> Link:
    """A link of one repository."""
    return Link(APP, DIGESTS[number], Kind.BLOB, size, used_at)


async def test_the_longest_unused_come_first_and_manifests_before_blobs(kept: KeptCache) -> None:
    """At equal times."""
    manifest = Link(APP, DIGESTS[3], Kind.MANIFEST, 10, 5.0)
    await kept.inventory.record(Holdings([blob(0, 5.0), manifest, blob(1, 3.0), blob(2, 9.0)]))
    assert await kept.inventory.idle("", 9.0, 10) == [blob(1, 3.0), manifest, blob(0, 5.0)]
    assert await kept.inventory.idle(None, 9.0, 1) == [blob(1, 3.0)]
    assert await kept.inventory.idle("ghcr.io", 9.0, 10) == []


async def test_what_is_needed_counts_as_used_when_what_needs_it_was(kept: KeptCache) -> None:
    """Through two levels, and only in the same repository."""
    index, image = Link(APP, DIGESTS[0], Kind.MANIFEST, 1, 9.0), Link(APP, DIGESTS[1], Kind.MANIFEST, 1, 2.0)
    layer, elsewhere = blob(2, 1.0), Link(OTHER, DIGESTS[2], Kind.BLOB, 10, 1.0)
    needs = {parent.digest: [Descriptor("", child.digest, 1)] for parent, child in ((index, image), (image, layer))}
    await kept.inventory.record(Holdings([index, image, layer, elsewhere], needs))
    assert await kept.inventory.idle(None, 5.0, 10) == [elsewhere]
    assert {link.used_at for link in await kept.inventory.page(None, 10)} == {9.0, 1.0}


async def test_content_is_counted_once_for_each_namespace_and_once_for_all(kept: KeptCache) -> None:
    """However many repositories link it."""
    shared = [Link(name, DIGESTS[0], Kind.BLOB, 100, 1.0) for name in (APP, OTHER, FURTHER)]
    await kept.inventory.record(Holdings([*shared, blob(1, 1.0, 7)]))
    assert await kept.inventory.size("", 0) == 107
    assert await kept.inventory.size("ghcr.io", 0) == 100
    assert await kept.inventory.size(None, 0) == 107


async def test_what_grows_is_noticed_and_what_leaves_as_well(kept: KeptCache) -> None:
    """Between two counts, by what other processes have added."""
    assert await kept.inventory.size("", 50) == 0
    await kept.fill(APP, b"a" * 40)
    assert await kept.inventory.size("", 50) == 40
    await kept.fill(OTHER, b"a" * 40)
    assert await kept.inventory.size("", 50) == 40
    await kept.inventory.forget(await kept.inventory.page(None, 10))
    assert await kept.inventory.size("", 50) == 0


async def test_a_link_that_was_used_since_is_not_forgotten(kept: KeptCache) -> None:
    """It was there again before anybody noticed that it was gone."""
    await kept.inventory.record(Holdings([blob(0, 1.0), blob(1, 1.0)]))
    chosen = await kept.inventory.idle(None, 5.0, 10)
    await kept.inventory.record(Holdings([blob(0, 7.0)]))
    await kept.inventory.forget(chosen)
    assert await kept.inventory.page(None, 10) == [blob(0, 7.0)]
    assert await kept.inventory.held(DIGESTS) == {DIGESTS[0]}
    assert await kept.inventory.leaving("", 10) == sorted(DIGESTS[:2])
    await kept.inventory.gone(DIGESTS)
    assert await kept.inventory.leaving("", 10) == []


async def test_what_a_manifest_needed_is_forgotten_with_its_last_link(kept: KeptCache) -> None:
    """Not before."""
    links = [Link(name, DIGESTS[0], Kind.MANIFEST, 1, 1.0) for name in (APP, OTHER)]
    await kept.inventory.record(Holdings(links, {DIGESTS[0]: [Descriptor(OCTET_STREAM, DIGESTS[1], 77)]}))
    await kept.inventory.forget(links[:1])
    assert kept.ledger.size_of(OTHER, DIGESTS[1]) == 77
    assert kept.ledger.size_of(APP, DIGESTS[1]) is None
    await kept.inventory.forget(links[1:])
    assert kept.ledger.size_of(OTHER, DIGESTS[1]) is None


LINKS = st.builds(
    Link,
    st.sampled_from([APP, OTHER, FURTHER]),
    st.sampled_from(DIGESTS),
    st.sampled_from(Kind),
    st.just(10),
    st.integers(0, 9).map(float),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINKS, max_size=20), st.integers(0, 9), st.data())
async def test_any_links_are_found_by_age_and_counted(
    kept: KeptCache, links: list[Link], before: int, data: st.DataObject
) -> None:
    """Against a plain dictionary."""
    for file in kept.index.parent.glob("index.db*"):
        file.unlink()
    inventory = SqliteInventory(str(kept.index), namespace_of)
    await inventory.record(Holdings(links))
    model: dict[tuple[str, str, str], Link] = {}
    for link in links:
        key = (link.name, link.digest, link.kind)
        model[key] = max(model.get(key, link), link, key=lambda one: one.used_at)
    forgotten = data.draw(st.sets(st.sampled_from(sorted(model.values()))) if model else st.just(set()))
    await inventory.forget(list(forgotten))
    left = {*model.values()} - forgotten
    assert {*await inventory.page(None, 100)} == left
    idle = await inventory.idle(None, before, 100)
    assert {*idle} == {link for link in left if link.used_at < before}
    assert [(link.used_at, link.kind is Kind.BLOB) for link in idle] == sorted(
        (link.used_at, link.kind is Kind.BLOB) for link in idle
    )
    for namespace in ("", "ghcr.io"):
        digests = {link.digest for link in left if namespace_of(link.name) == namespace}
        assert await inventory.size(namespace, 0) == 10 * len(digests)
    inventory.close()
