"""Signed schema 1 manifests: what is signed is verified, and what was changed, or never signed, is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.errors import ManifestInvalid, ManifestUnverified
from entrepot.schema1.jws import decode, encode, payload_of
from entrepot.schema1.signing import Signer

PAYLOAD = b'{\n   "schemaVersion": 1,\n   "name": "a",\n   "tag": "b"\n}'
SIGNER = Signer.generate()
SIGNED = SIGNER.sign(PAYLOAD)
KEYS = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "RSA": rsa.generate_private_key(65537, 2048),
}


def resigned(**members: Any) -> bytes:
    """The signed manifest with these members of its signature replaced."""
    manifest = json.loads(SIGNED)
    manifest["signatures"][0] |= members
    text = json.dumps(manifest["signatures"], indent=3).replace("\n", "\n   ")
    return PAYLOAD[:-2] + f',\n   "signatures": {text}\n}}'.encode()


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("payload", [PAYLOAD, b'{"schemaVersion":1}', b'{ "a" : {} \n\t} \n', b'{\n\t"a": 1\n}\n'])
def test_what_is_signed_is_verified(payload: bytes, key: Any) -> None:
    """However it is written, with each kind of key; the payload comes out byte for byte."""
    assert payload_of(Signer(key).sign(payload)) == payload


def test_a_key_is_read_from_pem_and_from_json(tmp_path: Path) -> None:
    """The same key, by the name of its file."""
    key = KEYS["P-256"]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    numbers = key.private_numbers()
    public = numbers.public_numbers
    parts = {"x": public.x, "y": public.y, "d": numbers.private_value}
    jwk = {"kty": "EC", "crv": "P-256"} | {name: encode(value.to_bytes(32)) for name, value in parts.items()}
    (tmp_path / "key.pem").write_bytes(pem(key))
    (tmp_path / "key.json").write_text(json.dumps(jwk))

    headers = [
        json.loads(Signer.read(str(tmp_path / name)).sign(PAYLOAD))["signatures"][0]["header"]
        for name in ("key.pem", "key.json")
    ]

    assert headers[0] == headers[1]
    assert len(headers[0]["jwk"]["kid"].split(":")) == 12


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("key.pem", b"no key"),
        ("key.pem", b""),
        ("key.json", b"{}"),
        ("key.json", b"no json"),
        ("key.json", b'{"kty":"oct","k":"cGxhbnRlZC1zZWNyZXQtc2VjcmV0"}'),
        ("key.jwk", b'{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}'),
        ("key.pem", "ed25519"),
    ],
)
def test_a_file_without_a_key_is_an_error(tmp_path: Path, name: str, content: bytes | str) -> None:
    """One that can sign, that is."""
    given = pem(ed25519.Ed25519PrivateKey.generate()) if isinstance(content, str) else content
    (tmp_path / name).write_bytes(given)

    with pytest.raises((ValueError, TypeError)):
        Signer.read(str(tmp_path / name))


@pytest.mark.parametrize(
    "manifest",
    [
        SIGNED.replace(b'"a"', b'"c"', 1),
        resigned(signature=encode(b"\1" * 64)),
        resigned(signature=encode(b"")),
        resigned(signature="!"),
        resigned(header={"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "alg": "ES256"}),
        resigned(header={"jwk": {"kty": "RSA", "n": "AA", "e": "AA"}, "alg": "RS256"}),
        resigned(header={"jwk": {"kty": "oct", "k": "AA"}, "alg": "HS256"}),
        resigned(header={"x5c": ["AA=="], "alg": "ES256"}),
        resigned(header={"x5c": "AA", "alg": "ES256"}),
        resigned(header={"x5c": [], "alg": "ES256"}),
        resigned(header={"x5c": {}, "alg": "ES256"}),
        resigned(header={"jwk": [], "alg": "ES256"}),
        resigned(header={"alg": "none"}),
        resigned(header=[]),
    ],
)
def test_a_signature_that_does_not_fit_is_refused(manifest: bytes) -> None:
    """Of whatever kind it says it is."""
    with pytest.raises(ManifestUnverified):
        payload_of(manifest)


def protected(**members: Any) -> bytes:
    return resigned(protected=encode(json.dumps({"formatLength": 5, "formatTail": "fQ"} | members).encode()))


@pytest.mark.parametrize(
    "manifest",
    [
        PAYLOAD,
        b"",
        b"[]",
        b"{" * 10_000,
        b'{"signatures":[]}',
        b'{"signatures":{}}',
        b'{"signatures":[1]}',
        b'{"signatures":[{"protected":"%%%"}]}',
        b'{"signatures":[{}]}',
        b'{"signatures":[' + b",".join([b"{}"] * 9) + b"]}",
        protected(formatLength=-1),
        protected(formatLength=10**9),
        protected(formatLength=True),
        protected(formatLength="1"),
        protected(formatTail="*"),
        protected(formatTail=1),
        resigned(protected=encode(b"[]")),
    ],
)
def test_what_is_no_signed_manifest_is_refused(manifest: bytes) -> None:
    """A manifest without signatures, too."""
    with pytest.raises(ManifestInvalid):
        payload_of(manifest)


def test_signatures_for_two_payloads_are_refused() -> None:
    """One manifest has one digest."""
    other = json.loads(SIGNER.sign(b'{"schemaVersion":1}'))["signatures"]
    both = json.dumps([*json.loads(SIGNED)["signatures"], *other])

    with pytest.raises(ManifestInvalid):
        payload_of(PAYLOAD[:-2] + f',\n   "signatures": {both}\n}}'.encode())


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_one_changed_byte_never_gives_another_payload(position: int, change: int) -> None:
    """Either it is refused, or it was none of the payload's."""
    changed = bytearray(SIGNED)
    changed[position] ^= change

    try:
        payload = payload_of(bytes(changed))
    except (ManifestInvalid, ManifestUnverified):
        return
    assert payload == PAYLOAD


@given(st.binary(max_size=100))
def test_base64_has_one_form_only(content: bytes) -> None:
    """What it is read from is what it is written as."""
    text = encode(content)

    assert decode(text) == content
    assert "=" not in text


@pytest.mark.parametrize("text", ["a", "YQ==", "Y Q", "Y+", "é"])
def test_what_is_not_base64_for_urls_is_an_error(text: str) -> None:
    """Also what the library would pass over."""
    with pytest.raises(ValueError, match=r".+"):
        decode(text)


def pem(key: Any) -> bytes:
    content: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return content
