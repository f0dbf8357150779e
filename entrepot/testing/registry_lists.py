"""The part of a registry's contract about lists: tags, referrers and the catalog, in order and in pages."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.errors import NameUnknown
from entrepot.registry import Page, Registry, Repository
from entrepot.testing.images import (
    artifact,
    image,
)
from entrepot.testing.registry_reading import ABSENT, APP, BELOW, OTHER, SBOM, Shelf

TAGS = ("1", "10", "2", "A", "_", "a", "a-b", "a.b", "latest", "v1.0", "x" * 128)
SIGNATURE = "application/vnd.example.signature"


class ListSuite:
    """The fixtures `registry` and `shelf` belong together, and begin empty."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def listed(self, registry: Registry) -> Repository:
        """The repository whose lists are asked for."""
        return registry.reader(APP)

    async def test_tags_are_listed_in_order_page_by_page(self, listed: Repository, shelf: Shelf) -> None:
        """Those greater than the last one seen, which need not be there."""
        await shelf.add_image(APP, image(1), *TAGS)

        assert await listed.tags("", None) == Page(list(TAGS), more=False)
        for after in ("", "0", "2", "A", "Z", "latest", "x" * 128, "~"):
            expected = [tag for tag in TAGS if tag > after]
            assert list((await listed.tags(after, None)).items) == expected
            for limit in (1, 3, len(TAGS)):
                page = await listed.tags(after, limit)
                assert (list(page.items), page.more) == (expected[:limit], len(expected) > limit)

    async def test_an_unknown_repository_has_no_list_of_tags(self, listed: Repository, shelf: Shelf) -> None:
        """Not even an empty one; a repository below it changes nothing."""
        await shelf.add_image(BELOW, image(1), "latest")

        with pytest.raises(NameUnknown):
            await listed.tags("", None)

    async def test_referrers_are_found_by_their_subject(self, listed: Repository, shelf: Shelf) -> None:
        """All of them or those of one type, in pages, with what they say of themselves."""
        subject, stranger = image(1), image(1)
        await shelf.add_image(APP, subject)
        made = [
            artifact((SBOM, SIGNATURE)[number % 2], subject=subject, annotations={"n": str(number)})
            for number in range(6)
        ]
        for one in made:
            await shelf.add_image(APP, one)
        await shelf.add_image(APP, artifact(SBOM, subject=stranger))
        await shelf.add_image(OTHER, artifact(SBOM, subject=subject))

        for kind in (None, SBOM, SIGNATURE, "application/vnd.example.other"):
            wanted = {one.digest: one for one in made if kind in (None, one.members["artifactType"])}
            for limit in (1, 4, 100):
                found = await self._all_referrers(listed, Digest.parse(subject.digest), kind, limit)
                assert found == sorted(wanted)
        [first, *_] = (await listed.referrers(Digest.parse(subject.digest), None, "", 1)).items
        described = next(one for one in made if one.digest == first.digest)
        assert first.to_json() == described.descriptor(
            artifactType=described.members["artifactType"], annotations=described.members["annotations"]
        )

    async def _all_referrers(self, listed: Repository, subject: Digest, kind: str | None, limit: int) -> Sequence[str]:
        found: list[str] = []
        more = True
        while more:
            page = await listed.referrers(subject, kind, found[-1] if found else "", limit)
            more = page.more
            assert len(page.items) <= limit
            assert page.items or not more
            found += [descriptor.digest for descriptor in page.items]
        return found

    async def test_what_nobody_refers_to_has_no_referrers(self, listed: Repository, shelf: Shelf) -> None:
        """That is no error, be the subject, or the repository, known or not."""
        for _ in range(2):
            page = await listed.referrers(ABSENT, None, "", 10)
            assert (len(page.items), page.more) == (0, False)
            await shelf.add_image(APP, image(1))

    async def test_the_catalog_lists_what_was_read(self, registry: Registry, shelf: Shelf) -> None:
        """In order, page by page; a name before what lies below it."""
        names = [APP, BELOW, OTHER]
        assert await registry.catalog("", 10) == Page([], more=False)
        for name in names:
            digest = await shelf.add_image(name, image(1), "latest")
            await registry.reader(name).manifest(digest)

        for after, expected in (("", names), (APP, names[1:]), ("library/b", names[2:]), ("z", [])):
            for limit in (1, 2, 10):
                page = await registry.catalog(after, limit)
                assert (list(page.items), page.more) == (expected[:limit], len(expected) > limit)
