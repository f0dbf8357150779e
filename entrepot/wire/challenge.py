"""WWW-Authenticate: what a server wants to see before it answers (RFC 9110 §11.6.1), read and written. Pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

_LONGEST_LINE = 8192
_MOST_CHALLENGES = 16
_MOST_PARAMETERS = 32

# One pattern, matched again and again where the last match ended; possessive, so that no byte is looked at twice.
_PIECE = re.compile(
    r"""[ \t,]*+
    (?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]++)
    (?: [ \t]*+ = [ \t]*+ (?: "(?P<quoted>(?:[^"\\]|\\.)*+)" | (?P<bare>[^ \t,"]++) ) (?=[ \t,]|\Z)
      | (?P<space>[ \t]++) (?: (?P<token68>[A-Za-z0-9._~+/-]++=*+) (?=[ \t]*+(?:,|\Z)) )?+
      | (?=,|\Z) )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r'(["\\])')


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: scheme and parameter names in lower case, or the token68 that some schemes use instead."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    token68: str = ""


def parse_challenges(lines: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all WWW-Authenticate lines of an answer, in order. Never raises.

    What is malformed ends its line, and what was read before it counts; unquoted URLs and scopes are taken as some
    registries send them. A line that is too long, and what exceeds 16 challenges, is not looked at.
    """
    found = (challenge for line in lines if len(line) <= _LONGEST_LINE for challenge in _challenges(line))
    return tuple(islice(found, _MOST_CHALLENGES))


def _challenges(line: str) -> Iterator[Challenge]:
    scheme, parameters = "", dict[str, str]()
    for piece in _pieces(line):
        value = _value(piece)
        if value is None:
            if scheme:
                yield Challenge(scheme, parameters)
            scheme, parameters = piece["name"].lower(), {}
            if piece["token68"]:
                yield Challenge(scheme, token68=piece["token68"])
                scheme = ""
        elif scheme and len(parameters) < _MOST_PARAMETERS:
            parameters.setdefault(piece["name"].lower(), value)
    if scheme:
        yield Challenge(scheme, parameters)


def _pieces(line: str) -> Iterator[re.Match[str]]:
    at = 0
    while piece := _PIECE.match(line, at):
        yield piece
        at = piece.end()


def _value(piece: re.Match[str]) -> str | None:
    if piece["quoted"] is not None:
        return _ESCAPED.sub(r"\1", piece["quoted"])
    bare: str | None = piece["bare"]
    return bare


def bearer(realm: str, service: str, scope: str = "", error: str = "") -> Challenge:
    """A token is wanted from `realm` (Distribution's token specification, RFC 6750 §3); empty parts are left out."""
    parts = {"realm": realm, "service": service, "scope": scope, "error": error}
    return Challenge("bearer", {name: value for name, value in parts.items() if value})


def basic(realm: str) -> Challenge:
    """A name and a password are wanted (RFC 7617)."""
    return Challenge("basic", {"realm": realm})


def format_challenge(challenge: Challenge) -> str:
    """One WWW-Authenticate line. Raises ValueError where a value holds what no header may."""
    if challenge.token68:
        return f"{challenge.scheme.title()} {challenge.token68}"
    pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in challenge.parameters.items())
    return f"{challenge.scheme.title()} {pairs}".rstrip()


def _escape(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("a challenge may hold printable ASCII only")
    return _SPECIAL.sub(r"\\\1", value)
