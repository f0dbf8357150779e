"""Every shape of data is pushed, listed, looked at, pulled, asked for its referrers and deleted."""

import pytest

from tests.conformance.checks import ACCEPT, by_digest, check_head, check_pull, push, references
from tests.conformance.shapes import SHAPES, Shape
from tests.repositories import Repository
from tests.servers import Server


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    """Each shape in turn."""
    return SHAPES[request.param]()


Pushed = dict[tuple[str, str], tuple[str, Shape]]
"""By server and shape: the repository that holds it, and the very shape that was pushed."""


@pytest.fixture(scope="module")
def all_pushed() -> Pushed:
    """What was pushed already; reading does not change it, so once is enough."""
    return {}


@pytest.fixture(params=SHAPES)
def pushed(
    request: pytest.FixtureRequest, server: Server, repository: Repository, all_pushed: Pushed
) -> tuple[Repository, Shape]:
    """Each shape in turn, in a repository that the tests only read."""
    key = (server.url, request.param)
    if key not in all_pushed:
        shape = SHAPES[request.param]()
        push(repository, shape)
        all_pushed[key] = (repository.name, shape)
    name, shape = all_pushed[key]
    return repository.sibling(name), shape


def test_push_is_accepted_and_pullable_at_its_location(repository: Repository, shape: Shape) -> None:
    """Every blob and manifest is created, and each manifest can be pulled from the Location it got."""
    push(repository, shape)


def test_tags_are_listed_in_order_and_after_last(pushed: tuple[Repository, Shape]) -> None:
    """All tags are listed in order; `last` leaves out those up to it and nothing else."""
    repository, shape = pushed

    expected = sorted(shape.tags)

    assert repository.tags() == expected
    for position, last in enumerate(expected):
        assert repository.tags(last=last) == expected[position + 1 :]


def test_head_tells_what_is_there(pushed: tuple[Repository, Shape]) -> None:
    """HEAD of each manifest, by tag and by digest, and of each blob has type, length and digest but no body."""
    repository, shape = pushed

    for reference, made in references(shape):
        answer = repository.head(f"manifests/{reference}", headers=ACCEPT)
        check_head(answer, made)
        assert answer.content == b""
    for blob in shape.all_blobs():
        answer = repository.head(f"blobs/{blob.digest}")
        assert answer.status_code == 200
        assert answer.headers["Content-Length"] == str(len(blob.content))
        assert answer.headers["Docker-Content-Digest"] == blob.digest
        assert answer.content == b""


def test_pull_gives_what_was_pushed(pushed: tuple[Repository, Shape]) -> None:
    """GET of each manifest, by tag and by digest, gives the pushed bytes and type; of each blob its bytes."""
    repository, shape = pushed

    for reference, made in references(shape):
        check_pull(repository.get(f"manifests/{reference}", headers=ACCEPT), made)
    for blob in shape.all_blobs():
        answer = repository.get(f"blobs/{blob.digest}")
        assert answer.status_code == 200
        assert answer.headers["Docker-Content-Digest"] == blob.digest
        assert answer.content == blob.content


def test_referrers_are_listed_with_type_and_annotations(pushed: tuple[Repository, Shape]) -> None:
    """Each subject's list holds exactly its referrers; a filter leaves those of one type and is named as applied."""
    repository, shape = pushed

    for subject, expected in shape.referrers().items():
        listed = repository.referrers(subject)
        assert sorted(listed, key=by_digest) == sorted(expected, key=by_digest)
        for wanted in {entry.get("artifactType", "") for entry in expected} - {""}:
            answer = repository.get(f"referrers/{subject}", params={"artifactType": wanted})
            assert answer.headers["OCI-Filters-Applied"] == "artifactType"
            matching = [entry for entry in expected if entry.get("artifactType") == wanted]
            assert sorted(answer.json()["manifests"], key=by_digest) == sorted(matching, key=by_digest)


def test_delete_takes_effect_at_once(repository: Repository, shape: Shape) -> None:
    """Tags, then manifests from the outermost in, then blobs: after each delete the next HEAD finds nothing."""
    push(repository, shape)

    paths = [
        *(f"manifests/{tag}" for tag in shape.tags),
        *(f"manifests/{made.digest}" for made in reversed(shape.all_manifests())),
        *(f"blobs/{blob.digest}" for blob in shape.all_blobs()),
    ]
    for path in paths:
        assert repository.delete(path).status_code == 202, path
        assert repository.head(path).status_code == 404, path
    assert repository.get("tags/list").status_code == 404 or repository.tags() == []
    for subject in shape.referrers():
        assert repository.referrers(subject) == []
