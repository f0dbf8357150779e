"""Regular expressions in RE2's syntax, the one Distribution reads, made to mean the same in Python's `re`."""

from __future__ import annotations

import re
import warnings
from typing import Annotated

from pydantic import BeforeValidator

from entrepot.config.problems import Unfit
from entrepot.config.types import as_text

_LONGEST = 1000
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_FLAGS = re.compile(r"\(\?([ims]+)\)")
_MULTI_LINE = re.compile(r"\(\?[is]*m")
_BEYOND_RE2 = re.compile(r"\(\?(?:[=!>(#]|<[=!]|P=)|[*+?}]\+")
"""Look-around, atomic groups, conditions, comments, named back-references, possessive quantifiers."""


def parse_pattern(text: str) -> re.Pattern[str]:
    """Raises Unfit unless `text` is an expression that RE2 and Python both understand.

    Flags are scoped within the pattern, so that the text of several can be joined to one alternation.
    """
    if len(text) > _LONGEST:
        raise Unfit(f"a regular expression is at most {_LONGEST} characters")
    flags = _FLAGS.match(text)
    pieces = _PIECE.findall(text, flags.end() if flags else 0)
    if _BEYOND_RE2.search("".join(piece if len(piece) == 1 else "x" for piece in pieces)):
        raise Unfit("a regular expression takes no look-around, back-reference or possessive quantifier here")
    multi_line = _MULTI_LINE.search(text) is not None
    body = "".join(_in_python(piece, multi_line=multi_line) for piece in pieces)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # [[ and -- in a class: Python may change its mind on them
            re.compile(body)  # alone, since `)(` would be balanced inside a group
            return re.compile(f"(?a{flags[1] if flags else ''}:{body})")
    except (re.error, FutureWarning, RecursionError, OverflowError) as error:
        raise Unfit(f"is not a regular expression: {error}") from None


def _in_python(piece: str, *, multi_line: bool) -> str:
    if piece == "$" and not multi_line:
        return r"\Z"  # Python's own `$` would let a line feed follow
    if piece == r"\z":
        return r"\Z"
    if piece[0] == "\\" and piece[1:] in {"Z", *"123456789"}:
        raise Unfit(f"{piece} means nothing in a regular expression here")
    if piece[0] == "[" and "[:" in piece[1:]:
        raise Unfit("a class such as [:alpha:] must be written out, as in [A-Za-z]")
    return piece


Pattern = Annotated[re.Pattern[str], BeforeValidator(lambda value: parse_pattern(as_text(value)))]
