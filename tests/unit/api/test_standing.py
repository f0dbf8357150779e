"""Answers that stand are found again by requests that are as plain, and by no others."""

import pytest

from entrepot.api.message import Header, PlainHeaders, Response
from entrepot.api.standing import StandingAnswers
from entrepot.content import Bytes, LocalFile
from entrepot.registry import Hit

PLAIN = PlainHeaders.of({"Host": "registry.test", "Accept": "*/*"})
NO_HEADERS: tuple[Header, ...] = ()


def always() -> bool:
    """It stands."""
    return True


def answer(content: bytes = b"hello") -> Response:
    """A whole one."""
    return Response(200, NO_HEADERS, Bytes(content))


def test_an_answer_is_found_as_long_as_it_stands() -> None:
    """Under its own path; a new one takes its place."""
    answers, said = StandingAnswers(), [True]
    first, second = answer(), answer()
    answers.keep("/a", PLAIN, Hit(first, lambda: said[0]))

    assert answers.find("/a", PLAIN) is first
    assert answers.find("/b", PLAIN) is None
    said[0] = False
    assert answers.find("/a", PLAIN) is None
    answers.keep("/a", PLAIN, Hit(second, always))
    assert answers.find("/a", PLAIN) is second


@pytest.mark.parametrize("headers", [{"Range": "bytes=0-1"}, {"If-None-Match": "*"}], ids=["range", "condition"])
def test_what_depends_on_more_than_its_key_is_neither_found_nor_kept(headers: dict[str, str]) -> None:
    """Such a request may have another answer."""
    answers, asked = StandingAnswers(), PlainHeaders.of(headers)
    answers.keep("/a", asked, Hit(answer(), always))

    assert answers.find("/a", PLAIN) is None
    answers.keep("/a", PLAIN, Hit(answer(), always))
    assert answers.find("/a", asked) is None


def test_the_answer_to_a_head_is_not_kept() -> None:
    """It has no body, and a GET would get none."""
    answers = StandingAnswers()
    answers.keep("/a", PLAIN, Hit(Response(200), always))

    assert answers.find("/a", PLAIN) is None


def test_content_that_is_not_small_is_not_kept() -> None:
    """It would push out all others; a file costs nothing, however large."""
    answers = StandingAnswers()
    answers.keep("/a", PLAIN, Hit(answer(bytes(65537)), always))
    answers.keep("/b", PLAIN, Hit(Response(200, NO_HEADERS, LocalFile("/large")), always))

    assert answers.find("/a", PLAIN) is None
    assert answers.find("/b", PLAIN) is not None


def test_memory_is_bounded() -> None:
    """Of answers without end, 16 MiB at most are kept, the last among them."""
    answers = StandingAnswers()
    for number in range(1000):
        answers.keep(f"/{number}", PLAIN, Hit(answer(bytes(65536)), always))

    found = [number for number in range(1000) if answers.find(f"/{number}", PLAIN) is not None]
    assert 0 < len(found) <= 256
    assert 999 in found
