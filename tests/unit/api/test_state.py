"""The token of an upload's location: Distribution's, byte for byte, and good for nothing but that upload."""

import base64
import hashlib
import hmac
import json

import pytest

from entrepot.api.state import StateSigner, UploadState
from entrepot.oci.errors import BlobUploadInvalid

STATE = UploadState("library/app", "b5e5b2f0-7d0a-4b39-9a25-6f1de2f2f0aa", 5, "2024-05-01T10:00:00Z")
SIGNER = StateSigner(b"topsecret")
TOKEN = (
    "jK17p9Bm128X4Pno4m-YLZdVadqPCZwR3PEwgqMqo157Ik5hbWUiOiJsaWJyYXJ5L2FwcCIsIlVVSUQiOiJiNWU1YjJmMC03ZDBhLTRiMzkt"
    "OWEyNS02ZjFkZTJmMmYwYWEiLCJPZmZzZXQiOjUsIlN0YXJ0ZWRBdCI6IjIwMjQtMDUtMDFUMTA6MDA6MDBaIn0="
)


def token_of(payload: bytes, secret: bytes = b"topsecret") -> str:
    """A token for any payload, made from the description of the format."""
    mac = hmac.new(secret, payload, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac + payload).decode()


def payload_with(**members: object) -> bytes:
    """A payload with some members replaced, or taken away where None."""
    whole = {"Name": STATE.name, "UUID": STATE.upload_id, "Offset": 5, "StartedAt": STATE.started_at} | members
    return json.dumps({key: value for key, value in whole.items() if value is not None}).encode()


def test_the_token_is_distributions() -> None:
    """The test vector, computed independently: the same bytes, so that either server takes the other's."""
    assert SIGNER.sign(STATE) == TOKEN
    assert SIGNER.verify(TOKEN, STATE.name, STATE.upload_id) == STATE


@pytest.mark.parametrize("offset", [0, 1, 2**31, 2**62])
@pytest.mark.parametrize("name", ["a", "a/" * 127 + "a"])
@pytest.mark.parametrize("secret", [b"", b"x", bytes(range(256))])
def test_what_was_signed_is_read_again(name: str, offset: int, secret: bytes) -> None:
    """For every size of it, with every secret."""
    state = UploadState(name, STATE.upload_id, offset, STATE.started_at)
    signer = StateSigner(secret)

    assert signer.verify(signer.sign(state), name, state.upload_id) == state


def test_a_token_with_spaces_and_fractions_of_seconds_is_read() -> None:
    """Another implementation may write its JSON as it likes, and the time to the nanosecond."""
    started_at = "2024-05-01T10:00:00.123456789Z"
    token = token_of(json.dumps(json.loads(payload_with(StartedAt=started_at)), indent=2).encode())

    assert SIGNER.verify(token, STATE.name, STATE.upload_id).started_at == started_at


FORGED = {
    "empty": "",
    "no base64": "!!!!",
    "not ASCII": "é" + TOKEN[1:],
    "lone surrogate": "\udc80" + TOKEN[1:],
    "NUL": "\0" * 200,
    "without padding": TOKEN[:-1],
    "with a line end": TOKEN + "\n",
    "with a space": TOKEN.replace("I", " ", 1),
    "cut": TOKEN[:100],
    "a MAC alone": TOKEN[:43] + "=",
    "shorter than a MAC": base64.urlsafe_b64encode(b"short").decode(),
    "first bit flipped": ("k" if TOKEN[0] != "k" else "l") + TOKEN[1:],
    "more behind it": TOKEN + "AAAA",
    "twice": TOKEN * 2,
    "endless": TOKEN + "A" * 1_000_000,
    "other secret": token_of(payload_with(), b"other"),
    "no secret": token_of(payload_with(), b""),
    "other repository": token_of(payload_with(Name="library/other")),
    "other upload": token_of(payload_with(UUID="00000000-0000-4000-8000-000000000000")),
    "no name": token_of(payload_with(Name=None)),
    "no upload": token_of(payload_with(UUID=None)),
    "no offset": token_of(payload_with(Offset=None)),
    "no time": token_of(payload_with(StartedAt=None)),
    "an offset that is text": token_of(payload_with(Offset="five")),
    "an offset that is a list": token_of(payload_with(Offset=[5])),
    "a list": token_of(b"[1,2,3,4]"),
    "a number": token_of(b"5"),
    "no JSON": token_of(b"{"),
    "nothing": token_of(b""),
    "not UTF-8": token_of(b"\xff\xfe"),
    "deep": token_of(b"[" * 1400),
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_any_other_token_is_refused_without_a_reason(token: str) -> None:
    """Who forges learns nothing from the answer, and nothing fails in another way."""
    with pytest.raises(BlobUploadInvalid) as refused:
        SIGNER.verify(token, STATE.name, STATE.upload_id)

    assert (refused.value.detail, refused.value.status) == (None, 404)


@pytest.mark.parametrize(
    ("name", "upload_id"),
    [("library", STATE.upload_id), ("library/app/", STATE.upload_id), (STATE.name, STATE.upload_id.upper()), ("", "")],
)
def test_a_token_is_for_one_upload_of_one_repository(name: str, upload_id: str) -> None:
    """Nobody goes on with an upload of which he knows the id alone (CVE-2026-32589)."""
    with pytest.raises(BlobUploadInvalid):
        SIGNER.verify(TOKEN, name, upload_id)
