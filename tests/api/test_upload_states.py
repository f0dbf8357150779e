"""Whose session an upload is: states that are forged, missing, or of another session or repository open nothing."""

import base64
import hmac
import json
import uuid
from datetime import datetime, timedelta

import httpx
import pytest

from entrepot.testing.images import SampleBlob, digest_of
from tests.api.checks import check_refusal, check_resumable
from tests.repositories import Repository, Upload, with_query, without_query
from tests.servers import Server


def check_no_session(repository: Repository, location: str) -> None:
    """Whatever is tried at the location, no session is found there."""
    digest = digest_of(b"")
    for method, target in (("PATCH", location), ("PUT", with_query(location, digest=digest)), ("DELETE", location)):
        answer = repository.client.request(method, target)
        assert answer.status_code == 404, method
        assert answer.json()["errors"][0]["code"] in ("BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")


def state_of(upload: Upload) -> str:
    """The state in the session's Location."""
    return httpx.URL(upload.location).params["_state"]


def tampered(state: str) -> dict[str, str]:
    """The state changed in ways that a forger might try."""
    raw = bytearray(base64.urlsafe_b64decode(state))
    payload = bytes(raw[32:])
    flipped = bytes([raw[0] ^ 1]) + bytes(raw[1:])
    return {
        "empty": "",
        "no base64": "!!!",
        "not ascii": "\u00fc" * 50,
        "short": state[:20],
        "cut": state[:-8],
        "mac flipped": base64.urlsafe_b64encode(flipped).decode(),
        "no mac": base64.urlsafe_b64encode(payload).decode(),
        "zero mac": base64.urlsafe_b64encode(bytes(32) + payload).decode(),
        "offset moved": base64.urlsafe_b64encode(bytes(raw).replace(b'"Offset":1000', b'"Offset":2000')).decode(),
        "doubled": state + state,
        "long": "A" * 5000,
    }


@pytest.mark.parametrize("change", tampered("A" * 200))
def test_tampered_state(repository: Repository, upload: Upload, blob: SampleBlob, change: str) -> None:
    """F-060, R20: a state that was not signed here opens nothing, and the session is as it was."""
    bare = without_query(upload.location, "_state")

    check_no_session(repository, with_query(bare, _state=tampered(state_of(upload))[change]))

    check_resumable(repository, upload, blob)


def test_state_is_that_of_distribution(repository: Repository, server: Server, upload: Upload) -> None:
    """The state is a MAC by `http.secret` and what it is of: name, id, offset and start, in Distribution's form."""
    raw = base64.urlsafe_b64decode(state_of(upload))

    assert hmac.digest(server.settings["http"]["secret"].encode(), raw[32:], "sha256") == raw[:32]
    members = json.loads(raw[32:])
    assert list(members) == ["Name", "UUID", "Offset", "StartedAt"]
    assert (members["Name"], members["UUID"], members["Offset"]) == (repository.name, upload.identity, 1000)
    assert datetime.fromisoformat(members["StartedAt"]).utcoffset() == timedelta(0)


def test_state_of_another_signer(repository: Repository, server: Server, upload: Upload, blob: SampleBlob) -> None:
    """A state that somebody else signed with the same secret, in other white space and precision, is taken."""
    members = {
        "Name": repository.name,
        "UUID": upload.identity,
        "Offset": 1000,
        "StartedAt": "2024-05-01T10:00:00.123456789Z",
    }
    payload = json.dumps(members, separators=(",", ":")).encode()
    mac = hmac.digest(server.settings["http"]["secret"].encode(), payload, "sha256")
    bare = without_query(upload.location, "_state")
    upload.location = with_query(bare, _state=base64.urlsafe_b64encode(mac + payload).decode())

    assert upload.append(blob.content[1000:]).status_code == 202
    assert upload.finish(blob.digest).status_code == 201


def test_missing_state(repository: Repository, upload: Upload, blob: SampleBlob) -> None:
    """F-060: without a state only the status can be asked."""
    check_no_session(repository, without_query(upload.location, "_state"))

    check_resumable(repository, upload, blob)


def test_session_of_another_repository(repository: Repository, upload: Upload, blob: SampleBlob) -> None:
    """F-060, R20: a session is only that of its own repository, with its state or without."""
    other = repository.sibling()
    other.push_blob(b"so that it exists")
    elsewhere = upload.location.replace(f"/v2/{repository.name}/", f"/v2/{other.name}/")

    check_no_session(repository, elsewhere)
    check_refusal(repository.client.get(elsewhere), 404, "BLOB_UPLOAD_UNKNOWN")
    check_resumable(repository, upload, blob)


def test_state_of_another_session(repository: Repository, upload: Upload, blob: SampleBlob) -> None:
    """F-060, R20: a state is only that of its own session."""
    other = repository.begin()

    check_no_session(repository, upload.location.replace(upload.identity, other.identity))
    check_no_session(repository, other.location.replace(other.identity, upload.identity))

    check_resumable(repository, upload, blob)


IDS = [
    str(uuid.UUID(int=0)),
    "not-a-uuid",
    "..",
    "%2e%2e",
    "a%2fb",
    "%00",
    "00000000-0000-4000-8000-00000000000G",
    "0" * 36,
    "x" * 5000,
    "_state",
]


@pytest.mark.parametrize("identity", IDS, ids=range(len(IDS)))
def test_unknown_session(repository: Repository, upload: Upload, identity: str) -> None:
    """F-060: an id that no session has, or can have, is unknown, or its path is none."""
    repository.push_blob(b"so that the repository exists")
    state = upload.location.partition("?")[2]
    for method in ("GET", "HEAD", "PATCH", "PUT", "DELETE"):
        path = f"{repository.url('blobs/uploads/')}{identity}?{state}&digest={digest_of(b'')}"
        answer = repository.client.request(method, path)
        assert answer.status_code in (400, 404), method
