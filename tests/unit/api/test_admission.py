"""What each request needs leave for: Distribution's table, for every route and method."""

import pytest

from entrepot.api.admission import wanted
from entrepot.api.routes import match
from entrepot.auth.base import Access
from tests.unit.api.requests import DIGEST, UPLOAD_ID, request

OF_REPOSITORY = [
    "/v2/team/app/tags/list",
    f"/v2/team/app/referrers/{DIGEST}",
    "/v2/team/app/manifests/latest",
    f"/v2/team/app/blobs/{DIGEST}",
    "/v2/team/app/blobs/uploads/",
    f"/v2/team/app/blobs/uploads/{UPLOAD_ID}",
]
NEEDS = {
    "GET": ["pull"],
    "HEAD": ["pull"],
    "POST": ["pull", "push"],
    "PUT": ["pull", "push"],
    "PATCH": ["pull", "push"],
    "DELETE": ["delete"],
    "OPTIONS": [],
    "PURGE": [],
}


def needed(method: str, path: str) -> list[str]:
    """As the scopes of a token."""
    target = match(path.partition("?")[0])
    assert target is not None
    return [":".join(access) for access in wanted(request(method, path), target)]


@pytest.mark.parametrize("path", OF_REPOSITORY)
@pytest.mark.parametrize("method", NEEDS)
def test_the_method_says_what_is_done_to_a_repository(method: str, path: str) -> None:
    """Whether or not the route has that method."""
    assert needed(method, path) == [f"repository:team/app:{action}" for action in NEEDS[method]]


@pytest.mark.parametrize("method", NEEDS)
def test_the_catalog_is_a_right_of_its_own(method: str) -> None:
    """Whoever may read all repositories one by one need not know what there is."""
    assert needed(method, "/v2/_catalog") == ["registry:catalog:*"]


@pytest.mark.parametrize("method", NEEDS)
def test_the_base_wants_nothing_but_to_know_who_asks(method: str) -> None:
    """It is what clients try credentials with."""
    assert needed(method, "/v2/") == []


@pytest.mark.parametrize("path", OF_REPOSITORY)
@pytest.mark.parametrize("method", NEEDS)
def test_a_source_must_be_readable_for_whatever_it_is_named(method: str, path: str) -> None:
    """All of them, where more than one is named."""
    found = needed(method, f"{path}?mount={DIGEST}&from=other/app&from=third&from=")
    assert found[-2:] == ["repository:other/app:pull", "repository:third:pull"]
    assert found[:-2] == [f"repository:team/app:{action}" for action in NEEDS[method]]


def test_an_access_is_a_scope() -> None:
    """Its three parts in that order."""
    assert Access("repository", "a", "pull") == ("repository", "a", "pull")
