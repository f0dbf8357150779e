"""What a driver may be asked for: the grammar of paths, and how much `get` returns. Pure, no I/O."""

from __future__ import annotations

import re
import string

from entrepot.driver import PathInvalid

LARGEST_GET = 8 << 20
"""Bytes that `get` returns at most. Manifests are capped at half of it; blobs are read as streams."""

_LONGEST_PATH = 3072  # leaves a quarter of PATH_MAX to the root
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]{1,255})+")
_IN_NAMES = f"{string.ascii_letters}{string.digits}._-/".encode()
_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,255}")


def check_path(path: str) -> None:
    """Raise PathInvalid unless `path` is of Distribution's grammar, `(/[A-Za-z0-9._-]+)+`, without `.` and `..`.

    A segment has 255 characters at most, which is what file systems take.
    """
    if len(path) > _LONGEST_PATH or _PATH.fullmatch(path) is None:
        raise PathInvalid(path[:_LONGEST_PATH])


def check_listable(path: str) -> None:
    """The same, for what may also be asked of the root, `/`."""
    if path != "/":
        check_path(path)


def is_name(name: str) -> bool:
    """Whether `name` can be a segment of a path; what is called otherwise was not put there by a driver."""
    return _NAME.fullmatch(name) is not None


def are_names(names: str) -> bool:
    """`is_name` of all entries of a directory, for many at once: each followed by a `/`."""
    # Surrogates stand for bytes that are no UTF-8; there is no entry "." or "..", and none that is too long.
    return not names.encode("utf-8", "surrogatepass").translate(None, _IN_NAMES)


def split_path(path: str) -> tuple[str, str]:
    """The directory of a checked path and the name in it: `/a/b` gives `/a` and `b`, `/a` gives `/` and `a`."""
    directory, _, name = path.rpartition("/")
    return directory or "/", name
