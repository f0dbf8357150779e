"""Digests: parse or raise."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.digest import ENCODED_LENGTH, Digest, new_hasher, parse_algorithm
from entrepot.oci.errors import DigestInvalid
from tests.unit.adversarial import in_linear_time, outcome, repeated

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8


@pytest.mark.parametrize("text", [SHA256, SHA512])
def test_known(text: str) -> None:
    """Both algorithms that a registry must know are taken as they are written."""
    digest = Digest.parse(text)

    assert digest == text
    assert f"{digest.algorithm}:{digest.encoded}" == text
    assert len(digest.encoded) == ENCODED_LENGTH[digest.algorithm]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256",
        "sha256:",
        "sha256:baddigeststring",
        SHA256[:-1],
        SHA256 + "0",
        SHA256 + "\n",
        " " + SHA256,
        SHA256.upper(),
        SHA256.replace("a", "A"),
        SHA256.replace("sha256", "SHA256"),
        SHA256.replace("sha256", "sha512"),
        SHA512.replace("sha512", "sha256"),
        SHA256.replace("a", "g"),
        SHA256.replace("0", "\u0660"),
        SHA256.replace(":", "-"),
        "sha256:../../../../etc/passwd",
        "sha257:" + "0" * 64,
        "sha384:" + "0" * 96,
        "sha1:" + "0" * 40,
        "md5:" + "0" * 32,
        "blake3:" + "0" * 64,
        "sha256+b64:" + "0" * 64,
    ],
)
def test_refused(text: str) -> None:
    """Anything but a known algorithm with its exact count of lower-case hex digits is refused."""
    with pytest.raises(DigestInvalid):
        Digest.parse(text)


@given(st.text())
def test_total(text: str) -> None:
    """Any text is a digest equal to it, or DigestInvalid."""
    assert outcome(Digest.parse, text, DigestInvalid) in (text, DigestInvalid)


@given(st.binary(), st.sampled_from(sorted(ENCODED_LENGTH)))
def test_made_of_content(content: bytes, algorithm: str) -> None:
    """The digest of content is hashlib's, in one piece or in many, and can be parsed."""
    digest = Digest.of(content, algorithm)
    hasher = new_hasher(algorithm)
    for at in range(len(content)):
        hasher.update(content[at : at + 1])

    assert digest == f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    assert digest == Digest.from_hasher(algorithm, hasher)
    assert digest == Digest.parse(digest)


@pytest.mark.parametrize("algorithm", ["", "sha1", "SHA256", "sha256 ", "sha384", "a" * 10_000])
def test_unknown_algorithm(algorithm: str) -> None:
    """An algorithm that is not known is refused, and not repeated at length."""
    with pytest.raises(DigestInvalid) as refusal:
        parse_algorithm(algorithm)

    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_known_algorithm(algorithm: str) -> None:
    """The algorithms a registry must know are known."""
    assert parse_algorithm(algorithm) == algorithm


@pytest.mark.parametrize("text", repeated("sha256:", "0", "a", ":", "sha512:0"), ids=len)
def test_linear(text: str) -> None:
    """A mebibyte is refused in linear time, by an error of bounded size."""
    with in_linear_time(), pytest.raises(DigestInvalid) as refusal:
        Digest.parse(text)

    assert len(str(refusal.value)) < 500
