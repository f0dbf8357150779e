"""SIGHUP: the configuration is read again, and workers are replaced without a request that fails."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.http.certificates import make_pair
from tests.mirror.serving import wait_until
from tests.process.keepers import keepers
from tests.repositories import Repository
from tests.servers import IN_MEMORY, Server, merge


def reload(server: Server, settings: Mapping[str, Any]) -> None:
    """Write other settings, and tell the server."""
    server.settings = merge(server.settings, settings)
    (server.directory / "config.yml").write_text(yaml.safe_dump(server.settings))
    os.kill(server.pid, signal.SIGHUP)


def upload_status(server: Server) -> int:
    """What a push is answered with, on a new connection."""
    with server.client() as client:
        return Repository(client).post("blobs/uploads/").status_code


def everybody(server: Server, check: Callable[[], bool]) -> None:
    """Return once it is so for many new connections one after the other, whichever worker takes them."""
    wait_until(lambda: all(check() for _ in range(20)))


def test_read_only_and_back(tmp_path: Path) -> None:
    """Writes are refused in all workers after one signal, and taken again after the next."""
    with Server(tmp_path) as server:
        assert upload_status(server) == 202
        reload(server, {"storage": {"maintenance": {"readonly": {"enabled": True}}}})
        everybody(server, lambda: upload_status(server) == 405)
        reload(server, {"storage": {"maintenance": {"readonly": {"enabled": False}}}})
        everybody(server, lambda: upload_status(server) == 202)


def test_a_duty_that_nobody_had_before(tmp_path: Path) -> None:
    """What does them is started then, and lives on where there are none again."""
    nothing = {"storage": {"maintenance": {"uploadpurging": {"enabled": False}}}}
    (tmp_path / "down").touch()
    check = {"file": str(tmp_path / "down"), "interval": "100ms", "threshold": 0}
    with Server(tmp_path / "server", nothing) as server:
        assert keepers(server.pid) == []
        reload(server, {"health": {"file": [check]}})
        everybody(server, lambda: upload_status(server) == 503)
        reload(server, {"health": None})
        everybody(server, lambda: upload_status(server) == 202)


def test_a_registry_in_memory_loses_nothing_to_a_new_certificate(tmp_path: Path) -> None:
    """Its workers are not replaced; the log says why."""
    pair = make_pair(tmp_path)
    with Server(tmp_path / "server", merge(IN_MEMORY, {"http": {"tls": pair.settings}})) as server:
        with server.client() as client:
            digest = Repository(client, "a").push_blob(b"content")
        make_pair(tmp_path)
        wait_until(lambda: "not_reloaded" in server.output())
        with server.client() as client:
            assert Repository(client, "a").get(f"blobs/{digest}").content == b"content"


def test_who_stops_it_does_not_wait_for_a_service_that_hangs(tmp_path: Path) -> None:
    """A reload that needs a certificate from it is given up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        lets = {
            "cachefile": str(tmp_path / "cache"),
            "hosts": ["localhost"],
            "directoryurl": f"https://127.0.0.1:{silent.getsockname()[1]}/directory",
            "challengeaddr": "127.0.0.1:0",
        }
        with Server(tmp_path / "server") as server:
            reload(server, {"http": {"tls": {"letsencrypt": lets}}})
            asking, _ = silent.accept()
            with asking:
                server.stop()
        output = (tmp_path / "server" / "log").read_text()
        assert "no certificate was to be had: the server ends" in output


def test_no_request_fails_meanwhile(tmp_path: Path) -> None:
    """Clients push and pull, on kept and on new connections, while all workers are replaced."""
    failures: list[str] = []
    with Server(tmp_path) as server:
        end = threading.Event()

        def work() -> None:
            try:
                while not end.is_set():
                    with server.client() as client:
                        repository = Repository(client)
                        for _ in range(5):
                            digest = repository.push_blob(os.urandom(1000))
                            assert repository.head(f"blobs/{digest}").status_code == 200
            except Exception as error:
                failures.append(repr(error))

        workers = [threading.Thread(target=work) for _ in range(4)]
        for one in workers:
            one.start()
        for word in ("first", "second"):
            reload(server, {"http": {"headers": {"X-Word": [word]}}})
            everybody(server, lambda expected=word: header(server) == expected)  # type: ignore[misc]
        end.set()
        for one in workers:
            one.join()

    assert failures == []


def header(server: Server) -> str | None:
    """What a new connection shows of the configuration."""
    with server.client() as client:
        word: str | None = client.get("/v2/").headers.get("X-Word")
        return word


def test_what_is_wrong_changes_nothing(tmp_path: Path) -> None:
    """Each problem is a line, and the next signal that brings something better is heard."""
    with Server(tmp_path, {"http": {"headers": {"X-Word": ["old"]}}}) as server:
        config = server.directory / "config.yml"
        good = config.read_text()
        for text, words in [
            ("version: 0.1\nhttp: {adr: x}\n", ("http.adr: unknown key", "storage: required")),
            (yaml.safe_dump(merge(server.settings, {"auth": {"htpasswd": {"realm": "r", "path": "/"}}})), ("auth",)),
        ]:
            config.write_text(text)
            os.kill(server.pid, signal.SIGHUP)
            wait_until(lambda expected=words: all(word in server.output() for word in expected))  # type: ignore[misc]
            assert header(server) == "old"
        config.write_text(good.replace("old", "new"))
        os.kill(server.pid, signal.SIGHUP)
        everybody(server, lambda: header(server) == "new")


def test_what_only_a_start_can_change_is_told(tmp_path: Path) -> None:
    """The address and the storage stay; the rest is taken on."""
    with Server(tmp_path) as server:
        port = server.port
        settings = {"addr": "127.0.0.1:1", "headers": {"X-Word": ["new"]}}
        reload(server, {"http": settings, "storage": {"filesystem": {"rootdirectory": str(tmp_path / "other")}}})
        everybody(server, lambda: header(server) == "new")

        assert server.port == port
        assert "needs_restart" in server.output()
        assert "setting=http.addr" in server.output()
        assert "setting=storage" in server.output()


def test_a_long_download_outlives_its_worker(tmp_path: Path) -> None:
    """A replaced worker ends when its last answer is at its end, however often others have been replaced meanwhile."""
    with Server(tmp_path) as server:
        content = os.urandom(30 << 20)
        with server.client() as client:
            repository = Repository(client)
            digest = repository.push_blob(content)
            with client.stream("GET", repository.url(f"blobs/{digest}")) as answer:
                pieces = answer.iter_raw(1 << 16)
                got = [next(pieces)]
                for word in ("first", "second"):
                    reload(server, {"http": {"headers": {"X-Word": [word]}}})
                    everybody(server, lambda expected=word: header(server) == expected)  # type: ignore[misc]
                got += pieces

        assert b"".join(got) == content


def test_what_is_in_memory_is_not_lost(tmp_path: Path) -> None:
    """Workers that hold the content are not replaced, and the log says why."""
    with Server(tmp_path, IN_MEMORY) as server, server.client() as client:
        repository = Repository(client)
        digest = repository.push_blob(b"content")
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: "not_reloaded" in server.output())
        assert repository.get(f"blobs/{digest}").content == b"content"
