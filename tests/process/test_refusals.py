"""Starts that cannot be: each is told in one line that names the setting, with status 1 (F-133)."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.http.certificates import Pair, encrypt, make_pair
from tests.process.command import check_cannot_start, serve
from tests.programs import need
from tests.servers import Server


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate and its key."""
    return make_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port of 127.0.0.1 that somebody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_used_port(tmp_path: Path, listener: socket.socket) -> None:
    """A port that another program listens on."""
    address = f"127.0.0.1:{listener.getsockname()[1]}"

    check_cannot_start(serve(tmp_path, {"http": {"addr": address}}), "http.addr", address, "Address already in use")


def test_port_used_on_every_address(tmp_path: Path, listener: socket.socket) -> None:
    """The same for a server that wants the port on all addresses."""
    address = f":{listener.getsockname()[1]}"

    check_cannot_start(serve(tmp_path, {"http": {"addr": address}}), "http.addr", address, "Address already in use")


def test_port_used_by_another_entrepot(tmp_path: Path, filesystem_server: Server) -> None:
    """Its workers let others bind the same port, but only their own siblings."""
    address = filesystem_server.address

    check_cannot_start(serve(tmp_path, {"http": {"addr": address}}), "http.addr", address, "Address already in use")
    assert filesystem_server.answers()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("192.0.2.1:5000", ("192.0.2.1:5000", "Cannot assign requested address")),
        ("a..b:5000", ("a..b", "not a host name")),
        ("[2001:db8::1]:5000", ("[2001:db8::1]:5000",)),
    ],
)
def test_address_that_is_not_ours(tmp_path: Path, address: str, words: tuple[str, ...]) -> None:
    """An address or name of no interface of this machine."""
    check_cannot_start(serve(tmp_path, {"http": {"addr": address}}), "http.addr", *words)


@pytest.mark.parametrize("key", ["certificate", "key"])
def test_unreadable_tls_file(tmp_path: Path, pair: Pair, key: str) -> None:
    """A certificate or key that is not there."""
    path = str(tmp_path / "missing.pem")

    check_cannot_start(
        serve(tmp_path, {"http": {"tls": pair.settings | {key: path}}}), f"http.tls.{key}", path, "No such"
    )


def test_certificate_that_is_none(tmp_path: Path, pair: Pair) -> None:
    """A file without a certificate in it."""
    tls = {"certificate": str(pair.key), "key": str(pair.key)}

    check_cannot_start(serve(tmp_path, {"http": {"tls": tls}}), "http.tls.certificate", str(pair.key))


def test_key_that_is_none(tmp_path: Path, pair: Pair) -> None:
    """A file without a key in it."""
    tls = {"certificate": str(pair.certificate), "key": str(pair.certificate)}

    check_cannot_start(serve(tmp_path, {"http": {"tls": tls}}), "http.tls", str(pair.certificate))


def test_key_of_another_certificate(tmp_path: Path, pair: Pair) -> None:
    """A key that does not belong to the certificate."""
    other = make_pair(tmp_path, "other")
    tls = {"certificate": str(pair.certificate), "key": str(other.key)}

    check_cannot_start(serve(tmp_path, {"http": {"tls": tls}}), "http.tls.key", str(other.key), "does not belong")


def test_encrypted_key(tmp_path: Path, pair: Pair) -> None:
    """A key that a passphrase protects: nobody is asked for one."""
    key = encrypt(pair.key, tmp_path / "encrypted.key")
    tls = {"certificate": str(pair.certificate), "key": str(key)}

    check_cannot_start(serve(tmp_path, {"http": {"tls": tls}}), "http.tls.key", str(key), "encrypted")


@pytest.mark.parametrize("key", ["ec:secp521r1", "rsa:1024"])
def test_kind_of_key_that_cannot_be_used(tmp_path: Path, key: str) -> None:
    """A curve that the server does not know, or a key too short to be safe."""
    tls = make_pair(tmp_path, key=key).settings

    check_cannot_start(serve(tmp_path, {"http": {"tls": tls}}), "http.tls.certificate", "key")


def test_data_directory_that_is_a_file(tmp_path: Path) -> None:
    """A file where the data should be."""
    (tmp_path / "data").write_text("")

    check_cannot_start(serve(tmp_path, {}), "storage.filesystem.rootdirectory", str(tmp_path / "data"))


def test_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """A path on a file system that takes no files."""
    settings = {"storage": {"filesystem": {"rootdirectory": "/proc/entrepot"}}}

    check_cannot_start(serve(tmp_path, settings), "storage.filesystem.rootdirectory", "/proc/entrepot")


def test_data_directory_without_leave_to_write(tmp_path: Path) -> None:
    """A directory of somebody else's."""
    if os.geteuid() == 0:
        settings = {"storage": {"filesystem": {"rootdirectory": "/sys/kernel"}}}
    else:
        (tmp_path / "data").mkdir(mode=0o500)
        settings = {}

    check_cannot_start(serve(tmp_path, settings), "storage.filesystem.rootdirectory")


def fill(path: Path) -> None:
    """Write to a file until there is no room."""
    with path.open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few pages with no room left."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    target = tmp_path / "full"
    target.mkdir()
    mounted = subprocess.run(
        [need("mount"), "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(target)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this machine may not mount")
    try:
        fill(target / "filler")
        yield target
    finally:
        subprocess.run([need("umount"), "-l", str(target)], check=True)


def test_full_disk(tmp_path: Path, full_disk: Path) -> None:
    """A disk without room."""
    settings = {"storage": {"filesystem": {"rootdirectory": str(full_disk)}}}

    check_cannot_start(
        serve(tmp_path, settings),
        "storage.filesystem.rootdirectory",
        str(full_disk),
        "No space left",
        "free some space",
    )


def test_full_disk_below_a_running_server(tmp_path: Path, full_disk: Path) -> None:
    """A disk that is full later refuses pushes, with a line in the log, and serves what there is."""
    (full_disk / "filler").unlink()
    with Server(tmp_path / "server", root=full_disk) as server, server.client() as client:
        answer = client.post("/v2/a/blobs/uploads/", params={"digest": f"sha256:{'0' * 64}"}, content=bytes(1 << 20))
        assert answer.status_code in (503, 507)
        assert client.get("/v2/").status_code == 200

        assert "storage_full" in server.output()
        assert "Traceback" not in server.output()


@pytest.mark.parametrize("fault", ["missing", "no key", "encrypted", "a certificate"])
def test_a_signing_key_that_signs_nothing(tmp_path: Path, pair: Pair, fault: str) -> None:
    """A key for schema 1 that is not there, is none, or that a passphrase is needed for."""
    paths = {"missing": tmp_path / "missing", "no key": tmp_path / "none.jwk", "a certificate": pair.certificate}
    (tmp_path / "none.jwk").write_text("[]")
    path = encrypt(pair.key, tmp_path / "encrypted.key") if fault == "encrypted" else paths[fault]
    settings = {"compatibility": {"schema1": {"enabled": True, "signingkeyfile": str(path)}}}

    check_cannot_start(serve(tmp_path, settings), "compatibility.schema1.signingkeyfile", str(path))


def test_mirror_in_memory(tmp_path: Path) -> None:
    """A mirror keeps its content in files."""
    settings = {
        "storage": {"filesystem": None, "inmemory": {}, "delete": None},
        "proxy": {"remoteurl": "http://127.0.0.1:1"},
    }

    check_cannot_start(serve(tmp_path, settings), "proxy: a mirror keeps its content in files")
