"""Repository names, tags and references: parse or raise."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.digest import Digest
from entrepot.oci.errors import DigestInvalid, NameInvalid, TagInvalid
from entrepot.oci.names import NAME_LIMIT, TAG_LIMIT, RepositoryName, Tag, parse_reference
from tests.unit.adversarial import in_linear_time, outcome, repeated

NAMES = [
    "a",
    "0",
    "library/busybox",
    "a/b/c/d/e/f/g/h",
    "a.b",
    "a_b",
    "a__b",
    "a-b",
    "a---b",
    "a.b_c__d-e/f",
    "blobs/manifests/tags/uploads/referrers",
    "a" * NAME_LIMIT,
    "/".join("a" * 128),
]
BAD_NAMES = [
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    "A",
    "library/Busybox",
    "-a",
    "a-",
    ".a",
    "a.",
    "_a",
    "a_",
    "_catalog",
    "a..b",
    "a___b",
    "a._b",
    "a.-b",
    ".",
    "..",
    "a/../b",
    "a/./b",
    "a\\b",
    "a b",
    "a%2fb",
    "a\x00",
    "a\n",
    "a:b",
    "a@b",
    "\u00e4",
    "\u0661",
    "\uff41",
    "localhost:5000/a",
    "a" * (NAME_LIMIT + 1),
]


@pytest.mark.parametrize("text", NAMES)
def test_name(text: str) -> None:
    """Every form that the specification allows is a name."""
    assert RepositoryName.parse(text) == text


@pytest.mark.parametrize("text", BAD_NAMES)
def test_no_name(text: str) -> None:
    """Everything else is refused, above all what would lead a path astray."""
    with pytest.raises(NameInvalid):
        RepositoryName.parse(text)


@given(st.text())
def test_name_is_total(text: str) -> None:
    """Any text is a name equal to it, or NameInvalid."""
    assert outcome(RepositoryName.parse, text, NameInvalid) in (text, NameInvalid)


@given(st.text(alphabet="ab0._-/", max_size=300))
def test_names_are_safe_paths(text: str) -> None:
    """No component of a name is empty, hidden, a step up, or ends in a separator."""
    name = outcome(RepositoryName.parse, text, NameInvalid)
    if isinstance(name, RepositoryName):
        assert len(name) <= NAME_LIMIT
        assert all(part[0].isalnum() and part[-1].isalnum() for part in name.split("/"))


@given(st.from_regex(r"\A[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\Z"))
def test_the_specification_and_nothing_else(text: str) -> None:
    """What the specification's own expression makes is a name, up to its length."""
    assert outcome(RepositoryName.parse, text, NameInvalid) in ((text,) if len(text) <= NAME_LIMIT else (NameInvalid,))


TAGS = ["a", "A", "_", "0", "latest", "1.36", "v1.0-rc.1_x", "sha256-" + "a" * 64, "a" * TAG_LIMIT, "a..b", "a--"]
BAD_TAGS = ["", ".", "..", ".a", "-a", "a b", "a/b", "a:b", "a+b", "a@b", "a\n", "a\x00", "\u00e4", "\u0661", "a" * 129]


@pytest.mark.parametrize("text", TAGS)
def test_tag(text: str) -> None:
    """Every form that the specification allows is a tag, and a reference."""
    assert Tag.parse(text) == text
    assert isinstance(parse_reference(text), Tag)


@pytest.mark.parametrize("text", BAD_TAGS)
def test_no_tag(text: str) -> None:
    """Everything else is refused."""
    with pytest.raises(TagInvalid):
        Tag.parse(text)


@given(st.text())
def test_tag_is_total(text: str) -> None:
    """Any text is a tag exactly where the specification's expression says so."""
    is_tag = re.fullmatch(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", text) is not None

    assert outcome(Tag.parse, text, TagInvalid) == (text if is_tag else TagInvalid)


@given(st.text())
def test_reference_is_total(text: str) -> None:
    """Any text is a digest, a tag, or one of their two errors."""
    reference = outcome(parse_reference, text, TagInvalid, DigestInvalid)

    assert isinstance(reference, Tag | Digest) or reference is (DigestInvalid if ":" in text else TagInvalid)


@pytest.mark.parametrize("text", repeated("a", "a/", "a-", "-", "a.", "__", "/", "a_-"), ids=len)
def test_linear(text: str) -> None:
    """A mebibyte is refused in linear time, by errors of bounded size."""
    with in_linear_time():
        for parse, error in ((RepositoryName.parse, NameInvalid), (Tag.parse, TagInvalid)):
            with pytest.raises(error) as refusal:
                parse(text)
            assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize("piece", ["a", "a/", "a-", "-", "a.", "__", "a_", "a-/"])
def test_the_longest_names_take_linear_time(piece: str) -> None:
    """Names just within the bound that fail at their very end, a mebibyte together, are refused in linear time."""
    text = (piece * NAME_LIMIT)[: NAME_LIMIT - 1] + "!"
    with in_linear_time():
        for _ in range(4096):
            assert outcome(RepositoryName.parse, text, NameInvalid) is NameInvalid
