"""Input that makes a careless parser slow: a mebibyte of each awkward shape, and a clock that notices."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MEBIBYTE = 1024 * 1024

# A linear parser needs milliseconds and a quadratic one hours, so that no machine is slow enough to confuse them.
PATIENCE = 20.0


@contextmanager
def in_linear_time() -> Iterator[None]:
    """Fail when the block uses more processor time than any linear parser would on a mebibyte."""
    started_at = time.process_time()
    yield
    spent = time.process_time() - started_at

    assert spent < PATIENCE, f"took {spent:.1f} s of processor time"


def repeated(*pieces: str) -> list[str]:
    """A mebibyte of each piece and of all in turn, each also with a start that fits and an end that does not."""
    all_in_turn = "".join(pieces)
    long = [piece * (MEBIBYTE // len(piece)) for piece in (*pieces, all_in_turn)]
    return [*long, *(f"{pieces[0]}{text}\x00" for text in long)]


def outcome(parse: Callable[[str], object], text: str, *errors: type[Exception]) -> object:
    """What `parse` makes of `text`: a value, or the expected error's type; any other error fails the test."""
    try:
        return parse(text)
    except errors as error:
        return type(error)
