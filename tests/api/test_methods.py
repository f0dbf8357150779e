"""Which methods each route has; all others are refused with 405, and nothing happens (R14)."""

import pytest

from entrepot.testing.images import image
from tests.api.checks import check_refusal, check_unsupported
from tests.repositories import Repository

UNKNOWN = f"sha256:{'0' * 64}"
SESSION = "blobs/uploads/00000000-0000-4000-8000-000000000000"

ROUTES = {
    "tags/list": ("GET", "HEAD"),
    "manifests/latest": ("GET", "HEAD", "PUT", "DELETE"),
    f"manifests/{UNKNOWN}": ("GET", "HEAD", "PUT", "DELETE"),
    f"blobs/{UNKNOWN}": ("GET", "HEAD", "DELETE"),
    f"referrers/{UNKNOWN}": ("GET", "HEAD"),
    SESSION: ("GET", "HEAD", "PATCH", "PUT", "DELETE"),
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "LINK", "PUTS")

REFUSED = [(method, path) for path, allowed in ROUTES.items() for method in METHODS if method not in allowed]


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_method_that_a_route_does_not_have(repository: Repository, method: str, path: str) -> None:
    """It is refused with the list of those that the route has."""
    answer = repository.client.request(method, repository.url(path))

    check_unsupported(answer, *ROUTES[path])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_catalog_is_only_read(repository: Repository, method: str) -> None:
    """No writing method exists for the catalog."""
    check_unsupported(repository.client.request(method, "/v2/_catalog"), "GET", "HEAD")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "PUT", "DELETE"])
def test_uploads_without_a_session(repository: Repository, method: str) -> None:
    """Where sessions are begun there is none to ask about: 405, or 404 as Distribution answers."""
    answer = repository.client.request(method, repository.url("blobs/uploads/"))

    if answer.status_code == 405:
        check_unsupported(answer, "POST")
    else:
        check_refusal(answer, 404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("method", ["PATCH", "POST", "PROPFIND", "PUTS"])
def test_refused_method_changes_nothing(repository: Repository, method: str) -> None:
    """A method that is not PUT is never taken for a push, whatever body it carries."""
    made = image(1)
    repository.push_blobs(made)

    headers = {"Content-Type": made.media_type}
    url = repository.url(f"manifests/{made.digest}")
    answer = repository.client.request(method, url, content=made.content, headers=headers)

    assert answer.status_code == 405
    assert repository.head(f"manifests/{made.digest}").status_code == 404


@pytest.mark.parametrize("path", ROUTES)
def test_options(repository: Repository, path: str) -> None:
    """OPTIONS tells the methods, whether or not it is itself allowed."""
    answer = repository.client.options(repository.url(path))

    assert answer.status_code in (200, 204, 405)
    assert set(ROUTES[path]) <= set(answer.headers["Allow"].split(", "))
