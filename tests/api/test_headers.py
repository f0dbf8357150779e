"""`http.headers`: on every answer of the API, also on refusals, as many lines as were given."""

from collections.abc import Iterator

import pytest

from entrepot.testing.images import image
from tests.conftest import Serve
from tests.repositories import Repository
from tests.servers import IN_MEMORY, merge

HEADERS = {"X-Content-Type-Options": ["nosniff"], "X-Several": ["first", "second, third"]}


@pytest.fixture(scope="module")
def repository(serve: Serve) -> Iterator[Repository]:
    """A repository of a server with HEADERS."""
    with serve(merge(IN_MEMORY, {"http": {"headers": HEADERS}})).client() as client:
        here = Repository(client)
        here.push(image(1), "latest")
        yield here


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "path", ["tags/list", "manifests/latest", "manifests/unknown", "blobs/sha256:x", "blobs/uploads/"]
)
def test_headers_are_added(repository: Repository, method: str, path: str) -> None:
    """Each line is there once, on good answers and bad ones."""
    answer = repository.client.request(method, repository.url(path))

    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert answer.headers.get_list("X-Several", split_commas=True) == ["first", "second", "third"]


@pytest.mark.parametrize("path", ["/v2/", "/v2/_catalog"])
def test_headers_outside_of_repositories(repository: Repository, path: str) -> None:
    """The version check and the catalog have them too."""
    assert repository.client.get(path).headers["X-Content-Type-Options"] == "nosniff"
