"""Upload sessions over restarts, on a second server, after a change of the secret, and when there are very many."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.testing.images import SampleBlob
from tests.api.checks import check_refusal
from tests.conftest import Serve
from tests.repositories import Repository, Upload, without_query
from tests.servers import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that a test may stop and start."""
    with Server(tmp_path) as started:
        yield started


def finish_here(server: Server, upload: Upload, blob: SampleBlob) -> None:
    """Go on with the upload on this server, from the Location that another one gave."""
    with server.client() as client:
        moved = upload.moved_to(client)
        status = moved.status()
        assert status.status_code == 204
        assert status.headers["Range"] == "0-999"
        assert moved.append_at(1000, blob.content[1000:2000]).status_code == 202
        assert moved.finish(blob.digest, blob.content[2000:]).status_code == 201


def begin(server: Server, blob: SampleBlob) -> Upload:
    """A session with the first thousand bytes."""
    with server.client() as client:
        upload = Repository(client).begin()
        upload.append(blob.content[:1000])
    return upload


@pytest.mark.parametrize("end", [Server.stop, Server.kill], ids=["stop", "kill"])
def test_restart(server: Server, blob: SampleBlob, end: object) -> None:
    """F-061: a session goes on after the server was stopped, or killed, and started again."""
    upload = begin(server, blob)

    assert callable(end)
    end(server)
    server.start()

    finish_here(server, upload, blob)


def test_another_server(server: Server, serve: Serve, blob: SampleBlob) -> None:
    """F-061: a session begun by one server is finished by another one that shares directory and secret."""
    upload = begin(server, blob)

    other = serve(root=server.root)

    finish_here(other, upload, blob)
    with server.client() as client:
        name = upload.location.partition("/v2/")[2].partition("/blobs/")[0]
        assert Repository(client, name).get(f"blobs/{blob.digest}").content == blob.content


def test_changed_secret(server: Server, serve: Serve, blob: SampleBlob) -> None:
    """F-061: after a change of `http.secret` the old Location is refused, and the status gives a new one."""
    upload = begin(server, blob)

    other = serve({"http": {"secret": "another"}}, root=server.root)

    with other.client() as client:
        moved = upload.moved_to(client)
        check_refusal(moved.append(b"x"), 404, "BLOB_UPLOAD_INVALID")
        fresh = Upload(client, client.get(without_query(moved.location, "_state")))
        assert fresh.append_at(1000, blob.content[1000:]).status_code == 202
        assert fresh.finish(blob.digest).status_code == 201


def test_no_secret_at_all(tmp_path: Path, blob: SampleBlob) -> None:
    """Without `http.secret` the workers of one server still take each other's states."""
    with Server(tmp_path, {"http": {"secret": None}}) as server:
        for _ in range(10):
            upload = begin(server, blob)
            finish_here(server, upload, blob)


def test_very_many_sessions(server: Server, blob: SampleBlob) -> None:
    """F-062, R42: a thousand sessions without bytes do not keep another client from uploading."""
    with server.client() as client:
        repository = Repository(client)
        statuses = {repository.post("blobs/uploads/").status_code for _ in range(1000)}
        assert statuses <= {202, 429}
        other = repository.sibling()
        assert other.begin().finish(blob.digest, blob.content).status_code == 201


@pytest.mark.parametrize("content", [b"", b"yesterday", b"\xff\xfe", b"2024-13-45T99:99:99Z", b"0" * 100_000])
def test_garbled_start_time(server: Server, blob: SampleBlob, content: bytes) -> None:
    """F-062, F-107: a session whose start time is garbled is served or unknown, and harms no other."""
    upload = begin(server, blob)
    [path] = server.root.rglob(f"*{upload.identity}/startedat")
    path.write_bytes(content)

    with server.client() as client:
        assert client.get(upload.location).status_code in (204, 404)
        assert client.patch(upload.location, content=blob.content[1000:]).status_code in (202, 404)
        repository = Repository(client)
        assert repository.begin().finish(blob.digest, blob.content).status_code == 201


def test_foreign_files_among_sessions(server: Server, blob: SampleBlob) -> None:
    """F-107: files that are no sessions, where sessions lie, are left alone."""
    upload = begin(server, blob)
    [path] = server.root.rglob(upload.identity)
    (path.parent / "foreign").write_text("x")
    (path.parent / "empty").mkdir()
    (path / "foreign").write_text("x")

    finish_here(server, upload, blob)
    with server.client() as client:
        location = without_query(upload.location, "_state")
        assert client.get(location.replace(upload.identity, "foreign")).status_code == 404
        assert client.get(location.replace(upload.identity, "empty")).status_code == 404
