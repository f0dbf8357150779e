"""WWW-Authenticate, read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.wire.challenge import Challenge, basic, bearer, format_challenge, parse_challenges
from tests.unit.adversarial import in_linear_time, repeated

DOCKER_HUB = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'

TABLE = [
    ("nothing", [], ()),
    ("an empty line", [""], ()),
    (
        "Docker Hub's, a comma within quotes",
        [DOCKER_HUB],
        (bearer("https://auth.docker.io/token", "registry.docker.io", "repository:a/b:pull,push"),),
    ),
    ("several lines", ['Basic realm="a"', 'Bearer realm="b"'], (basic("a"), bearer("b", ""))),
    ("several schemes in one line", ['Basic realm="a", Bearer realm="b",service="c"'], (basic("a"), bearer("b", "c"))),
    ("escapes within quotes", [r'Basic realm="a \"b\", \\c"'], (basic(r'a "b", \c'),)),
    ("scheme and names in any case", ['bEARER ReAlM="X"'], (bearer("X", ""),)),
    ("spaces around the equals sign and empty elements", [',, Basic  realm = "a" ,,'], (basic("a"),)),
    (
        "unquoted URL and scope",
        ["Bearer realm=https://x/t,scope=repository:a:pull"],
        (bearer("https://x/t", "", "repository:a:pull"),),
    ),
    ("no commas between the parameters", ['Bearer realm="a" service="b"'], (bearer("a", "b"),)),
    ("a scheme alone", ["Negotiate"], (Challenge("negotiate"),)),
    (
        "token68, then another scheme",
        ['Negotiate YII=, Basic realm="a"'],
        (Challenge("negotiate", token68="YII="), basic("a")),
    ),
    ("the first of a parameter given twice", ['Basic realm="a",realm="b"'], (basic("a"),)),
    ("an empty value", ['Basic realm=""'], (basic(""),)),
    ("parameters before any scheme", ['realm="a"'], ()),
    (
        "an unterminated quote ends the line",
        ['Basic x="1",realm="a', 'Bearer realm="b"'],
        (Challenge("basic", {"x": "1"}), bearer("b", "")),
    ),
    (
        "junk behind a quote ends the line",
        ['Basic x="1",realm="a"b, Bearer realm="c"'],
        (Challenge("basic", {"x": "1"}),),
    ),
    ("a control character ends the line", ["\x00Basic realm=a"], ()),
]


@pytest.mark.parametrize(("lines", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_parsed(lines: list[str], expected: tuple[Challenge, ...]) -> None:
    """Each shape that registries send, and each malformed one, gives the challenges that are in it."""
    assert expected == parse_challenges(lines)


@given(st.lists(st.text()))
def test_total(lines: list[str]) -> None:
    """Any text is parsed without an error, into bounded values."""
    challenges = parse_challenges(lines)

    assert len(challenges) <= 16
    assert all(len(challenge.parameters) <= 32 for challenge in challenges)


@given(st.lists(st.text(alphabet='Basic realm=",\\ \t')))
def test_total_on_near_misses(lines: list[str]) -> None:
    """Text made of the grammar's own characters is parsed without an error."""
    assert isinstance(parse_challenges(lines), tuple)


PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=200)
NAME = st.text("abcdefghijklmnopqrstuvwxyz_-", min_size=1, max_size=20)


@given(st.lists(st.builds(Challenge, NAME, st.dictionaries(NAME, PRINTABLE, max_size=8)), max_size=8))
def test_written_and_read_back(challenges: list[Challenge]) -> None:
    """What is written is read back as it was, in lines of its own and all in one line."""
    lines = [format_challenge(challenge) for challenge in challenges]

    assert tuple(challenges) == parse_challenges(lines)
    assert tuple(challenges) == parse_challenges([", ".join(lines)]) or len(", ".join(lines)) > 8192


def test_written_as_registries_do() -> None:
    """Our own challenges look as clients know them."""
    assert (
        format_challenge(bearer("https://auth.docker.io/token", "registry.docker.io", "repository:a/b:pull,push"))
        == DOCKER_HUB
    )
    assert format_challenge(basic('a "b"')) == 'Basic realm="a \\"b\\""'
    assert format_challenge(Challenge("negotiate", token68="YII=")) == "Negotiate YII="


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\x00", "ä"])
def test_no_header_can_be_smuggled_in(value: str) -> None:
    """A value with what no header may hold is refused, not written."""
    with pytest.raises(ValueError, match="printable"):
        format_challenge(basic(value))


@pytest.mark.parametrize("text", repeated("a", "a ", "a=", 'a="b",', '"', "\\", ",", "=", " ", 'a="\\'), ids=len)
def test_long_lines_are_not_looked_at(text: str) -> None:
    """A mebibyte in one line costs nothing and gives nothing."""
    with in_linear_time():
        assert parse_challenges([text]) == ()


@pytest.mark.parametrize("piece", ["a", "a ", "a=", 'a="b",', '"', "\\", ",", "=", " ", 'a="\\'])
def test_the_longest_lines_take_linear_time(piece: str) -> None:
    """Lines just within the bound, a mebibyte together, are read in linear time."""
    line = (piece * 8192)[:8192]
    with in_linear_time():
        for _ in range(128):
            parse_challenges([line])
