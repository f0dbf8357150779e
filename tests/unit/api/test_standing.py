"""Answers that stand are found again by requests that are as plain, and by no others."""

from entrepot.api.message import Header, Headers, PlainHeaders, Response
from entrepot.api.standing import Answer, StandingAnswers
from entrepot.content import Bytes, LocalFile

PLAIN = PlainHeaders.of({"Host": "registry.test", "Accept": "*/*"})
NO_HEADERS: tuple[Header, ...] = ()


RANGED = PlainHeaders.of({"Host": "registry.test", "Range": "bytes=0-1"})


def answer(content: bytes = b"hello") -> Response:
    """A whole one."""
    return Response(200, NO_HEADERS, Bytes(content))


def standing(response: Response) -> Answer:
    """It stands."""
    return Answer(response, lambda _: response)


def test_an_answer_is_found_as_long_as_it_stands() -> None:
    """Under its own path; a new one takes its place."""
    answers, said = StandingAnswers(), [True]
    first, second = answer(), answer()
    answers.keep("/a", PLAIN, Answer(first, lambda _: first if said[0] else None))

    assert answers.find("/a", PLAIN) is first
    assert answers.find("/b", PLAIN) is None
    said[0] = False
    assert answers.find("/a", PLAIN) is None
    answers.keep("/a", PLAIN, standing(second))
    assert answers.find("/a", PLAIN) is second


def test_parts_are_kept_apart() -> None:
    """A request with a range is none for the whole, nor the other way round; each is asked with its headers."""
    answers, whole = StandingAnswers(), answer()
    asked: list[Headers] = []
    answers.keep("/a", PLAIN, standing(whole))
    assert answers.find("/a", RANGED) is None
    answers.keep("/a", RANGED, Answer(answer(b"he"), asked.append))

    assert answers.find("/a", PLAIN) is whole
    assert answers.find("/a", RANGED) is None
    assert asked == [RANGED]


def test_what_nobody_can_answer_again_is_not_kept() -> None:
    """And takes nothing else's place."""
    answers, whole = StandingAnswers(), answer()
    answers.keep("/a", PLAIN, standing(whole))
    answers.keep("/a", PLAIN, Answer(answer(), None))

    assert answers.find("/a", PLAIN) is whole


def test_the_answer_to_a_head_is_not_kept() -> None:
    """It has no body, and a GET would get none."""
    answers = StandingAnswers()
    answers.keep("/a", PLAIN, standing(Response(200)))

    assert answers.find("/a", PLAIN) is None


def test_content_that_is_not_small_is_not_kept() -> None:
    """It would push out all others; a file costs nothing, however large."""
    answers = StandingAnswers()
    answers.keep("/a", PLAIN, standing(answer(bytes(65537))))
    answers.keep("/b", PLAIN, standing(Response(200, NO_HEADERS, LocalFile("/large"))))

    assert answers.find("/a", PLAIN) is None
    assert answers.find("/b", PLAIN) is not None


def test_memory_is_bounded() -> None:
    """Of answers without end, 16 MiB at most are kept, the last among them."""
    answers = StandingAnswers()
    for number in range(1000):
        answers.keep(f"/{number}", PLAIN, standing(answer(bytes(65536))))

    found = [number for number in range(1000) if answers.find(f"/{number}", PLAIN) is not None]
    assert 0 < len(found) <= 256
    assert 999 in found
