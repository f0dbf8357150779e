"""A registry that only reads: every shape that another server stored is served from the same directory."""

from collections.abc import Iterator

import pytest

from tests.conformance.checks import ACCEPT, by_digest, check_head, check_pull, push, references
from tests.conformance.conftest import SETTINGS
from tests.conformance.shapes import SHAPES, Shape
from tests.conftest import Serve
from tests.repositories import Repository
from tests.servers import Server, merge

READ_ONLY = {"storage": {"maintenance": {"readonly": {"enabled": True}}}}


@pytest.fixture(scope="module")
def read_only(serve: Serve, conforming_filesystem: Server) -> Server:
    """A second server on the directory of the conforming one, which refuses writes."""
    return serve(merge(SETTINGS, READ_ONLY), root=conforming_filesystem.root)


@pytest.fixture(params=SHAPES)
def pushed(request: pytest.FixtureRequest, conforming_filesystem: Server) -> Iterator[tuple[str, Shape]]:
    """Each shape in turn, and the repository that the writing server holds it in."""
    shape = SHAPES[request.param]()
    with conforming_filesystem.client() as client:
        repository = Repository(client)
        push(repository, shape)
        yield repository.name, shape


def test_what_is_stored_is_served(read_only: Server, pushed: tuple[str, Shape]) -> None:
    """Tags, manifests, blobs and referrers are those that were pushed through the other server."""
    name, shape = pushed
    with read_only.client() as client:
        repository = Repository(client, name)
        assert repository.tags() == sorted(shape.tags)
        for reference, made in references(shape):
            check_head(repository.head(f"manifests/{reference}", headers=ACCEPT), made)
            check_pull(repository.get(f"manifests/{reference}", headers=ACCEPT), made)
        for blob in shape.all_blobs():
            assert repository.get(f"blobs/{blob.digest}").content == blob.content
        for subject, expected in shape.referrers().items():
            assert sorted(repository.referrers(subject), key=by_digest) == sorted(expected, key=by_digest)
