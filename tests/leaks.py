"""Secrets that must never be printed: what they look like, and the check that every program of ours goes through (R12).

Servers are checked when they end, commands when they are done, and each test for what was written in its process.
"""

import re

_LEAKS = {
    "the state of an upload": r"_state=(?!\*\*\*)[\w%.-]{8}",
    "a signature in a URL": r"(?:X-Amz-Signature|X-Goog-Signature|Signature|sig)=[\w%+/-]{4}",
    "a password in a URL": r"://[^/\s\"'@\\*]*:(?!\*\*\*)[^/\s\"'@\\]+@",
    "an Authorization header": r"\b(?:Bearer|Basic) [A-Za-z0-9+/_.~-]{12,}",
    "the secret that signs uploads": r"only-for-tests",
    "a password of the tests": r"hunter2|planted-(?:secret|password|token)",
    "a private key": r"PRIVATE KEY",
}
_ANY = re.compile("|".join(f"({pattern})" for pattern in _LEAKS.values()))


def leak(printed: str) -> str | None:
    """What of it should not have been printed, in words, or None."""
    found = _ANY.search(printed)
    if found is None or found.lastindex is None:
        return None
    line_start = printed.rfind("\n", 0, found.start()) + 1
    line_end = printed.find("\n", found.end())
    return f"{[*_LEAKS][found.lastindex - 1]}: {printed[line_start : None if line_end < 0 else line_end][:2000]}"


def check_printed(printed: str) -> None:
    """Raises AssertionError where there is a secret in it."""
    assert (found := leak(printed)) is None, f"printed {found}"
