"""What several tests look at: refusals in the one form that all have, and a data directory as it lies on disk."""

import hashlib
from pathlib import Path

import httpx

from entrepot.testing.images import SampleBlob
from tests.repositories import Repository, Upload, error_codes


def check_refusal(answer: httpx.Response, status: int, *codes: str) -> None:
    """The answer has this status and, unless it answers HEAD, exactly these error codes."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    if answer.request.method != "HEAD":
        assert error_codes(answer) == list(codes)


def check_unsupported(answer: httpx.Response, *allowed: str) -> None:
    """The answer is 405 and names the methods that are allowed here."""
    check_refusal(answer, 405, "UNSUPPORTED")
    assert answer.headers["Allow"] == ", ".join(sorted(allowed))


def snapshot(root: Path) -> dict[str, str]:
    """Every path below `root` and a digest of what is there; names only for directories.

    Not what a mirror notes for itself: when things were used.
    """
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
        for path in root.rglob("*")
        if "entrepot" not in path.relative_to(root).parts
    }


def check_resumable(repository: Repository, upload: Upload, blob: SampleBlob) -> None:
    """The session still holds the first thousand bytes, and takes the rest."""
    status = upload.status()
    assert status.status_code == 204
    assert status.headers["Range"] == "0-999"
    assert upload.append_at(1000, blob.content[1000:2000]).status_code == 202
    assert upload.finish(blob.digest, blob.content[2000:]).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content
