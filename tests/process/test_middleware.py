"""Middleware: clients that are sent elsewhere for blobs, and packages of an operator around a registry."""

from pathlib import Path
from typing import Any

import pytest

from entrepot.oci.digest import Digest
from entrepot.storage import layout
from entrepot.testing.images import image
from tests.process.command import check_cannot_start, serve
from tests.repositories import Repository, error_codes
from tests.servers import Server, merge

CDN = "https://cdn.example/root/"

PACKAGE = '''
"""Wraps what it is told to."""

class Wrapped:
    def __init__(self, inner, word):
        self._inner, self._word = inner, word

    def __getattr__(self, name):
        return getattr(self._inner, name)

class Repository(Wrapped):
    async def tags(self, after, limit):
        page = await self._inner.tags(after, limit)
        return type(page)([*page.items, self._word], page.more)

class Registry(Wrapped):
    async def catalog(self, after, limit):
        page = await self._inner.catalog(after, limit)
        return type(page)([*page.items, self._word], page.more)

def registry(inner, options):
    return Registry(inner, options["word"])

def repository(inner, name, options):
    return Repository(inner, f"{name.replace('/', '-')}-{options['word']}")
'''


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory with an installed package."""
    directory = tmp_path / "packages"
    metadata = directory / "words-1.0.dist-info"
    metadata.mkdir(parents=True)
    (directory / "words.py").write_text(PACKAGE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: words\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[entrepot.middleware.registry]\nword = words:registry\n"
        "[entrepot.middleware.repository]\nword = words:repository\n"
    )
    return directory


def redirected(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"middleware": {"storage": list(steps)}}


REDIRECT = {"name": "redirect", "options": {"baseurl": CDN}}
REWRITE = {"name": "rewrite", "options": {"scheme": "http", "host": "near.example", "trimpathprefix": "/root"}}


@pytest.mark.parametrize(
    ("steps", "before"),
    [
        ([REDIRECT], "https://cdn.example/root"),
        ([REDIRECT, REWRITE], "http://near.example"),
        ([{**REDIRECT, "disabled": True}], None),
        ([REWRITE], None),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_blobs_are_to_be_had_elsewhere(
    tmp_path: Path, method: str, steps: list[dict[str, Any]], before: str | None
) -> None:
    """With 307, and only what is there; manifests come from here."""
    with Server(tmp_path, redirected(*steps)) as server, server.client() as client:
        repository = Repository(client)
        repository.push(made := image(1), "v1")
        digest = made.blobs[0].digest
        for _ in range(3):
            answer = client.request(method, repository.url(f"blobs/{digest}"), headers={"Range": "bytes=0-1"})
            if before is None:
                assert answer.status_code in (200, 206)
                continue
            assert answer.status_code == 307
            assert answer.headers["Location"] == before + layout.blob_data(Digest.parse(digest))
            assert answer.headers["Docker-Content-Digest"] == digest
            assert answer.headers["Content-Length"] == "0"
        assert repository.get("manifests/v1").content == made.content
        assert client.request(method, repository.url(f"blobs/sha256:{'0' * 64}")).status_code == 404


def test_a_switch_turns_it_off(tmp_path: Path) -> None:
    """`storage.redirect.disable`, as for every redirect."""
    off = {"storage": {"redirect": {"disable": True}}}
    with Server(tmp_path, merge(redirected(REDIRECT), off)) as server, server.client() as client:
        repository = Repository(client)
        assert repository.get(f"blobs/{repository.push_blob(b'content')}").content == b"content"


def test_packages_wrap_registries_and_repositories(tmp_path: Path, installed: Path) -> None:
    """Each with its options; what they do not change is as it was."""
    wrapping = {
        "middleware": {
            "registry": [{"name": "word", "options": {"word": "added"}}],
            "repository": [{"name": "word", "options": {"word": "last"}}],
        }
    }
    prefix = ("env", f"PYTHONPATH={installed}")
    with Server(tmp_path, wrapping, prefix=prefix) as server, server.client() as client:
        repository = Repository(client, "team/app")
        repository.push(made := image(1), "v1")

        assert repository.tags() == ["v1", "team-app-last"]
        assert client.get("/v2/_catalog").json() == {"repositories": ["team/app", "added"]}
        assert repository.get("manifests/v1").content == made.content
        assert error_codes(repository.get("manifests/v2")) == ["MANIFEST_UNKNOWN"]


def test_what_is_not_installed_is_told(tmp_path: Path) -> None:
    """One line, which names what is."""
    wrapping = {"middleware": {"repository": [{"name": "word"}]}}

    check_cannot_start(serve(tmp_path, wrapping), "middleware.repository", "word is not installed", "none")
