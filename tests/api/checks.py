"""What several tests look at: refusals in the one form that all have, and a data directory as it lies on disk."""

import hashlib
from pathlib import Path

import httpx

from tests.repositories import error_codes


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
    """Every path below `root` and a digest of what is there; names only for directories."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
        for path in root.rglob("*")
    }
