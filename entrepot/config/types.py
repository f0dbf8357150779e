"""The kinds of value a setting can have, each parsed from the text that the YAML tree holds.

Validators here may show what was given, except where it may be a secret: credentials, URLs, header values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr

from entrepot.config.document import Plain
from entrepot.config.durations import in_seconds, parse_duration, parse_period
from entrepot.config.problems import Unfit, nearest

_TRUE = ("true", "yes", "on", "y")
_FALSE = ("false", "no", "off", "n")
_BOOLEANS = {
    form: word in _TRUE for word in (*_TRUE, *_FALSE) for form in (word, word.capitalize(), word.upper())
}  # YAML 1.1, which Distribution reads: `yes`, `on` and their like are booleans
_GO_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_LONGEST_NUMBER = 24
_NUMBER = re.compile(r"[-+]?[0-9]+")
_MOST = 2**63 - 1


def as_text(value: object) -> str:
    """`value` if it is any scalar. Raises Unfit."""
    if not isinstance(value, str):
        raise Unfit("needs text")
    return str(value)


def as_flag(value: object) -> bool | None:
    """What `value` says as a boolean, None where it says something else."""
    return _BOOLEANS.get(value) if isinstance(value, Plain) else None


def _path(value: object) -> str:
    text = as_text(value)
    if "\0" in text:
        raise Unfit("a path cannot hold a NUL character")
    return text


def _flag(value: object) -> bool:
    flag = as_flag(value)
    if flag is None:
        raise Unfit("needs true or false, without quotes")
    return flag


def _loose_flag(value: object) -> bool:
    if isinstance(value, str) and not isinstance(value, Plain) and value in _GO_BOOLEANS:
        return _GO_BOOLEANS[value]
    return _flag(value)


def _integer(value: object) -> int:
    if not isinstance(value, Plain):
        raise Unfit("needs a whole number, without quotes")
    return _loose_integer(value)


def _loose_integer(value: object) -> int:
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER or not value.isascii():
        raise Unfit("needs a whole number")
    try:
        number = int(value, 0)  # like YAML 1.1 but for `010`, which is refused: 8 for some readers and 10 for others
    except ValueError:
        raise Unfit("needs a whole number") from None
    if abs(number) > _MOST:
        raise Unfit("is too large a number")
    return number


def _nanoseconds_or(parse: Callable[[str], float]) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, Plain) and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value):
            return in_seconds(int(value))  # a bare number is nanoseconds, as in Go
        return parse(as_text(value))

    return read


def _duration_text(value: object) -> float:
    return parse_duration(as_text(value))  # inside untyped maps Distribution takes no bare number


def _not_negative(value: float) -> float:
    if value < 0:
        raise Unfit("must not be negative")
    return value


def _not_empty(value: str) -> str:
    if not value:
        raise Unfit("must not be empty")
    return value


def untyped(value: object) -> object:
    """What YAML makes of a value whose type nobody prescribes: booleans, integers, text, and maps and lists of them."""
    if isinstance(value, dict):
        return {key: untyped(one) for key, one in value.items()}
    if isinstance(value, list):
        return [untyped(one) for one in value]
    if not isinstance(value, Plain):
        return value
    if len(value) > 1 and value in _BOOLEANS:  # `y` and `n` are letters more often than answers
        return _BOOLEANS[value]
    if len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value):
        return int(value)
    return str(value)


def _untyped_map(value: object) -> object:
    if not isinstance(value, dict):
        raise Unfit("needs a mapping")
    return untyped(value)


def one_of(*words: str, any_case: bool = False, empty: str | None = None) -> BeforeValidator:
    """Text that must be one of `words`, in any case where `any_case` says so; the empty text may stand for `empty`."""

    def check(value: object) -> str:
        text = as_text(value)
        text = text.lower() if any_case else text
        if not text and empty is not None:
            return empty
        if text in words:
            return text
        # A wrong number is not a slip: tls1.1 does not mean tls1.3.
        meant = None if any(map(str.isdigit, text)) else nearest(text, words)
        suggestion = f", did you mean {meant}?" if meant else ""
        raise Unfit(f"{text[:64]!r} is not one of {', '.join(words)}{suggestion}")

    return BeforeValidator(check)


def within(low: int, high: int = _MOST) -> AfterValidator:
    """A number from `low` to `high`, both included."""

    def check(value: int) -> int:
        if not low <= value <= high:
            raise Unfit(f"must be at least {low}" if high == _MOST else f"must be from {low} to {high}")
        return value

    return AfterValidator(check)


def positive_or(default: int) -> AfterValidator:
    """A number below one stands for `default`, as it does in Distribution."""
    return AfterValidator(lambda value: value if value > 0 else default)


def longer_than_zero_or(default: float) -> AfterValidator:
    """A duration of zero or less stands for `default`, as it does in Distribution."""
    return AfterValidator(lambda value: value if value > 0 else default)


not_empty = AfterValidator(_not_empty)

Text = Annotated[str, BeforeValidator(as_text)]
Name = Annotated[Text, not_empty]
FilePath = Annotated[str, BeforeValidator(_path)]

Secret = Annotated[SecretStr, BeforeValidator(as_text)]
NO_SECRET = SecretStr("")

Flag = Annotated[bool, BeforeValidator(_flag)]
LooseFlag = Annotated[bool, BeforeValidator(_loose_flag)]

Integer = Annotated[int, BeforeValidator(_integer)]
Count = Annotated[int, BeforeValidator(_integer), AfterValidator(_not_negative)]
LooseCount = Annotated[int, BeforeValidator(_loose_integer), AfterValidator(_not_negative)]

Seconds = Annotated[float, BeforeValidator(_nanoseconds_or(parse_duration)), AfterValidator(_not_negative)]
AnySeconds = Annotated[float, BeforeValidator(_nanoseconds_or(parse_duration))]
UntypedSeconds = Annotated[float, BeforeValidator(_duration_text), AfterValidator(_not_negative)]

Period = Annotated[float, BeforeValidator(lambda value: parse_period(as_text(value))), AfterValidator(_not_negative)]
"""What Distribution has no key for: with days and weeks, and no number without a unit but 0."""

AnyPeriod = Annotated[float, BeforeValidator(_nanoseconds_or(parse_period))]

UntypedMap = Annotated[Mapping[str, Any], BeforeValidator(_untyped_map)]
