"""Uploads that nobody finished: a running server removes the old ones, and no others (F-062, F-107)."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.http.waiting import wait_until
from tests.http.wire import Wire, begin_upload, exchange, request
from tests.repositories import fresh_name
from tests.servers import Server, merge

PROMPT = (sys.executable, str(Path(__file__).with_name("prompt.py")))
LONG_AGO = time.time() - 30 * 24 * 3600.0
PURGING: Mapping[str, Any] = {"enabled": True, "age": "1h", "interval": "1s", "dryrun": False}


def prompt(directory: Path, settings: Mapping[str, Any] | None = None, **purging: Any) -> Server:
    """A server that is not started yet; it purges at once, and then every second."""
    section = {"storage": {"maintenance": {"uploadpurging": {**PURGING, **purging}}}}
    return Server(directory, merge(section, settings or {}), prefix=PROMPT)


def begin(server: Server) -> tuple[str, Path]:
    """A new upload: its location, and its directory in the store."""
    before = set(server.root.rglob("startedat"))
    location = begin_upload(server.port, fresh_name())
    [started] = set(server.root.rglob("startedat")) - before
    return location, started.parent


def age(session: Path, started: str = "2020-01-01T00:00:00Z") -> None:
    """Make a session an old one."""
    (session / "startedat").write_text(started)
    for path in (*session.iterdir(), session):
        os.utime(path, (LONG_AGO, LONG_AGO))


def await_round(server: Server) -> None:
    """Return when a whole round of purging has begun and ended since now."""
    seen = server.output().count("upload_purge_finished")
    wait_until(lambda: server.output().count("upload_purge_finished") >= seen + 2)


def test_old_uploads_go(tmp_path: Path) -> None:
    """One that is old goes and is unknown then, also where its start is garbled; a young one goes on."""
    with prompt(tmp_path) as server:
        (old, old_session), (garbled, garbled_session), (young, _) = begin(server), begin(server), begin(server)
        age(garbled_session, "no time")
        age(old_session)
        await_round(server)

        gone = [exchange(server.port, request(location))[0].status for location in (old, garbled)]
        assert gone == [404, 404]
        assert not old_session.exists()
        assert not garbled_session.exists()
        assert exchange(server.port, request(young))[0].status == 204
        assert "errors=0" in server.output()


def test_upload_under_way_stays(tmp_path: Path) -> None:
    """However old a session is, while a request writes to it it is not touched."""
    with prompt(tmp_path) as server, Wire(server.port) as wire:
        location, session = begin(server)
        wire.send(request(location, "Content-Length: 6", method="PATCH", body=b"abc"))
        wait_until((session / "data").exists)
        age(session)
        await_round(server)
        wire.send(b"def")

        answer = wire.answer()
        assert answer is not None
        assert answer.status == 202
        assert (session / "data").read_bytes() == b"abcdef"


def test_dry_run(tmp_path: Path) -> None:
    """`dryrun` tells what would go, and removes nothing."""
    with prompt(tmp_path, dryrun=True) as server:
        _, session = begin(server)
        age(session)
        await_round(server)

        assert session.is_dir()
        lines = [line for line in server.output().splitlines() if "upload_would_be_purged" in line]
        assert any(session.name in line for line in lines)


@pytest.mark.parametrize(
    "settings",
    [
        {"storage": {"maintenance": {"readonly": {"enabled": True}}}},
        {"storage": {"delete": None}, "proxy": {"remoteurl": "http://127.0.0.1:1"}},
    ],
    ids=["read-only", "mirror"],
)
def test_where_nobody_may_push(tmp_path: Path, settings: dict[str, Any]) -> None:
    """A read-only server and a mirror purge, too."""
    server = prompt(tmp_path, settings)
    session = server.root / "docker/registry/v2/repositories/a/_uploads/0f3a6c1e-2f0b-4f6e-9f0a-1c2d3e4f5a6b"
    session.mkdir(parents=True)
    age(session)
    with server:
        wait_until(lambda: not session.exists())
