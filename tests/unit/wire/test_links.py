"""The Link header of paged lists."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.wire.links import format_next, parse_next
from tests.unit.adversarial import in_linear_time, repeated

TABLE = [
    ("", None),
    ('</v2/_catalog?last=b&n=2>; rel="next"', "/v2/_catalog?last=b&n=2"),
    ("</a>; rel=next", "/a"),
    ('</a>;rel="next"', "/a"),
    ('</a>; REL="NEXT"', "/a"),
    ('</a>; rel="prev next"', "/a"),
    ('</a>; rel="prev"', None),
    ('</a>; rel="prev", </b>; rel="next"', "/b"),
    ('</a?x=1,2>; rel="next"', "/a?x=1,2"),
    ('<https://other.example/a>; title="x"; rel="next"', "https://other.example/a"),
    ("</a>", None),
    ("/a; rel=next", None),
    ("</a; rel=next", None),
    ("rel=next", None),
]


@pytest.mark.parametrize(("header", "expected"), TABLE)
def test_parsed(header: str, expected: str | None) -> None:
    """The target of the next page is found, whatever else is in the header."""
    assert expected == parse_next(header)


@given(st.text())
def test_total(header: str) -> None:
    """Any header gives a target or none."""
    assert isinstance(parse_next(header), str | None)


@given(st.text(alphabet='<>;,="/ relnxt'))
def test_total_on_near_misses(header: str) -> None:
    """Text made of the grammar's own characters gives a target or none."""
    assert isinstance(parse_next(header), str | None)


@given(st.dictionaries(st.sampled_from(["n", "last", "artifactType"]), st.text(max_size=100), min_size=1))
def test_written_and_read_back(query: dict[str, str]) -> None:
    """What is written is read back, every parameter as it was and in alphabetical order."""
    target = parse_next(format_next("/v2/a/tags/list", query))

    assert target is not None
    assert sorted(query.items()) == parse_qsl(urlsplit(target).query, keep_blank_values=True)


@pytest.mark.parametrize("text", repeated("<", ">", ",", ";", "<a>; rel=next,", "<a>,", 'rel="next";'), ids=len)
def test_linear(text: str) -> None:
    """A mebibyte is refused in linear time."""
    with in_linear_time():
        assert parse_next(text) is None


@pytest.mark.parametrize("piece", ["<", ">", ",", ";", "<a>,", "a,", ";rel=", " "])
def test_the_longest_headers_take_linear_time(piece: str) -> None:
    """Headers just within the bound, a mebibyte together, are read in linear time."""
    header = (piece * 8192)[:8192]
    with in_linear_time():
        for _ in range(128):
            parse_next(header)
