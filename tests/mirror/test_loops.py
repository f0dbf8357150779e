"""A mirror whose upstream is itself, directly or by way of another one (F-080): told, instead of going on for ever."""

from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.testing.upstreams import ThreadedUpstream
from tests.repositories import Repository, error_codes
from tests.servers import Server

DIGEST = Digest.of(b"nobody has this")
PATHS = ["manifests/latest", f"manifests/{DIGEST}", f"blobs/{DIGEST}", "tags/list"]


def mirror(directory: Path, url: str | None = None) -> Server:
    """A mirror of `url`, or of itself; not started."""
    server = Server(directory)
    server.settings["proxy"] = {"remoteurl": url or server.url}
    return server


@pytest.mark.parametrize("path", PATHS)
def test_a_mirror_of_itself_says_so(tmp_path: Path, path: str) -> None:
    """502 at once, with the reason, whatever is asked for."""
    with mirror(tmp_path) as server, server.client() as client:
        answer = Repository(client, "library/app").get(path)

        assert (answer.status_code, error_codes(answer)) == (502, ["UNKNOWN"])
        assert "leads back to this mirror" in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_two_mirrors_of_each_other_say_so(tmp_path: Path, path: str) -> None:
    """The second one passes on by whom the request came."""
    first = mirror(tmp_path / "first")
    second = mirror(tmp_path / "second", first.url)
    first.settings["proxy"] = {"remoteurl": second.url}
    with first, second, first.client() as client:
        answer = Repository(client, "library/app").get(path)

        assert (answer.status_code, error_codes(answer)) == (502, ["UNKNOWN"])


def test_a_chain_of_mirrors_is_no_loop(tmp_path: Path) -> None:
    """What comes through two of them comes."""
    with ThreadedUpstream() as upstream:
        digest = upstream.add_blob("library/app", content := bytes(100_000))
        first = mirror(tmp_path / "first", upstream.url)
        second = mirror(tmp_path / "second", first.url)
        with first, second, second.client() as client:
            assert Repository(client, "library/app").get(f"blobs/{digest}").content == content


@pytest.mark.parametrize("line", ["1.1 a, " * 16 + "1.1 b", f"1.1 {'a' * 3000}"], ids=["many", "long"])
def test_a_request_that_has_come_through_too_many(tmp_path: Path, line: str) -> None:
    """Whoever they are."""
    with mirror(tmp_path) as server, server.client() as client:
        answer = Repository(client, "library/app").get("manifests/latest", headers={"Via": line})

        assert (answer.status_code, error_codes(answer)) == (508, ["UNKNOWN"])
