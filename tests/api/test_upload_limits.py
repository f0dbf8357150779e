"""R42: what uploads may take of the store, as their clients see it."""

import pytest

from entrepot.testing.images import digest_of
from tests.api.checks import check_refusal
from tests.conftest import Serve
from tests.repositories import Repository


def limits(**settings: object) -> dict[str, object]:
    """A configuration with bounds for uploads."""
    return {"storage": {"maintenance": {"uploadlimits": settings}}}


@pytest.mark.parametrize("style", ["POST", "PATCH", "PUT"])
def test_a_blob_that_is_too_large(serve: Serve, style: str) -> None:
    """413 in the words of the specification; one that just fits is taken."""
    with serve(limits(maxsize="1MiB")).client() as client:
        repository = Repository(client)
        large, fits = bytes(1024 * 1024 + 1), bytes(1024 * 1024)
        if style == "POST":
            answer = repository.post("blobs/uploads/", params={"digest": digest_of(large)}, content=large)
        elif style == "PATCH":
            answer = repository.begin().append(large)
        else:
            answer = repository.begin().finish(digest_of(large), large)

        check_refusal(answer, 413, "SIZE_INVALID")
        repository.push_blob(fits)


def test_a_file_system_without_room_for_uploads(serve: Serve) -> None:
    """507 before anything is taken; reading goes on."""
    with serve(limits(minfree="99.99%")).client() as client:
        check_refusal(Repository(client).post("blobs/uploads/"), 507, "UNKNOWN")
        assert client.get("/v2/_catalog").status_code == 200


def test_too_many_open_uploads(serve: Serve) -> None:
    """429 for the next one, whichever worker began the others; another repository does not notice."""
    with serve(limits(maxsessions=3)).client() as client:
        repository = Repository(client)
        answers = [repository.post("blobs/uploads/") for _ in range(20)]
        refused = [answer for answer in answers if answer.status_code != 202]

        assert refused
        assert all(answer.status_code == 429 for answer in refused)
        assert answers[:3] == [answer for answer in answers[:3] if answer.status_code == 202]
        assert Repository(client).post("blobs/uploads/").status_code == 202
