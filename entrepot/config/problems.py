"""What is wrong with a configuration: one line per problem, all of them in one error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Where a value stands: keys, and positions in lists."""

_LONGEST_LINE = 1000
_SIMPLE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Unfit(ValueError):
    """A value that a setting cannot have; the message goes on after the setting's path and shows no secret."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `path` is dotted and may be empty; `source` is a file or an environment variable."""

    path: str
    text: str
    source: str

    def __str__(self) -> str:
        return printable(": ".join(part for part in (self.source, self.path, self.text) if part))


class ConfigurationError(Exception):
    """The configuration cannot be used; `problems` has at least one entry, and no entry shows a secret."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(*problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def printable(text: str) -> str:
    """`text` on one line, whatever is in it, and of bounded length."""
    return "".join(character if character.isprintable() else "?" for character in text[:_LONGEST_LINE])


def format_path(path: Path) -> str:
    """`("http", "headers", 0)` as `http.headers[0]`; a key that is not a plain word is shown quoted and cut."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            word = step if _SIMPLE_KEY.fullmatch(step) else repr(step[:64])
            text += f".{word}" if text else word
    return text


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be."""
    folded = {one.lower(): one for one in known}
    matches = difflib.get_close_matches(word[:64].lower(), folded, n=1, cutoff=0.7)
    return folded[matches[0]] if matches else None
