"""Conditional requests: which entity tags name the content at hand."""

import time

import pytest

from entrepot.api.conditions import is_current, is_match, not_modified

DIGEST, OTHER = "sha256:" + "0" * 64, "sha256:" + "1" * 64


@pytest.mark.parametrize(
    "header",
    [
        f'"{DIGEST}"',
        DIGEST,
        f'W/"{DIGEST}"',
        f'  "{DIGEST}"  ',
        f'"{OTHER}", "{DIGEST}"',
        f'"{OTHER}","x",W/"{DIGEST}"',
        f"{OTHER}\t,\t{DIGEST}",
        "*",
        " * ",
    ],
)
def test_these_name_it(header: str) -> None:
    """Quoted or bare as Distribution takes them, weak or strong, alone or in a list, or anything at all."""
    assert is_match(header, DIGEST)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        ",",
        '""',
        f'"{OTHER}"',
        f'"{DIGEST[:-1]}"',
        f'"{DIGEST}0"',
        f'"{DIGEST.upper()}"',
        DIGEST[7:],
        f'"{OTHER}", ' * 300 + f'"{DIGEST}"',
        "é",
    ],
    ids=lambda header: str(header)[:20],
)
def test_these_do_not(header: str | None) -> None:
    """A list longer than any client sends is not read."""
    assert not is_match(header, DIGEST)


@pytest.mark.parametrize("character", [",", '"', " ", "W/", "*,", "W/W/"])
def test_a_hostile_list_takes_no_time(character: str) -> None:
    """The longest that is read at all, a hundred times."""
    begun = time.process_time()
    for _ in range(100):
        is_match((character * 20_000)[: 16 * 1024], DIGEST)

    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("header", "applies"),
    [
        (None, True),
        (f'"{DIGEST}"', True),
        (f' "{DIGEST}" ', True),
        (f'W/"{DIGEST}"', False),
        (DIGEST, False),
        (f'"{OTHER}"', False),
        ("Wed, 21 Oct 2026 07:28:00 GMT", False),
        ("", False),
        ("*", False),
    ],
)
def test_a_range_applies_to_the_content_that_was_begun(header: str | None, applies: bool) -> None:
    """If-Range compares strongly (RFC 9110 §13.1.5); content has no date that could match."""
    assert is_current(header, DIGEST) is applies


def test_not_modified_repeats_the_tag_and_has_no_body() -> None:
    """RFC 9110 §15.4.5 asks for the ETag; caches keep the rest."""
    response = not_modified(DIGEST)

    assert (response.status, response.body) == (304, None)
    assert ("etag", f'"{DIGEST}"') in response.headers
