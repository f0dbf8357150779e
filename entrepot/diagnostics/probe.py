"""A probe: what lets an operator look into a running process, through a socket in a directory that only we can enter.

It answers on a thread of its own, so that it tells also what an event loop that stands still is at.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from entrepot.diagnostics.overview import figures, objects, tasks
from entrepot.diagnostics.sampling import profile
from entrepot.telemetry import get_logger

log = get_logger(__name__)

LONGEST_PROFILE = 8
"""Seconds."""

_SUFFIX = ".probe"
_LONGEST_QUESTION = 64
_PATIENCE = 5.0  # seconds for whoever asks to do so, and to take his answer
_MOST_BYTES = 1 << 20


class Probe:
    """Of this process, whose kind is `name`. Run `run` in its event loop.

    The questions: `figures`, `tasks`, `objects`, and `profile` with a number of seconds behind a blank.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name

    async def run(self) -> None:
        """Answer until cancelled."""
        loop = asyncio.get_running_loop()
        answers: Mapping[str, Callable[[int], str]] = {
            "figures": lambda _: json.dumps(figures(loop)),
            "tasks": lambda _: tasks(loop),
            "objects": lambda _: objects(),
            "profile": lambda seconds: profile(min(seconds, LONGEST_PROFILE)),
        }
        path = self._directory / f"{self._name}-{os.getpid()}{_SUFFIX}"
        with closing(_listen(path)) as listening:
            threading.Thread(target=_serve, args=(listening, answers), name="probe", daemon=True).start()
            try:
                await loop.create_future()
            finally:
                # Wakes the thread, which closing alone does not.
                with suppress(OSError):
                    listening.shutdown(socket.SHUT_RDWR)
                path.unlink(missing_ok=True)


def probed(directory: Path) -> list[str]:
    """The processes that can be asked."""
    return sorted(path.stem for path in directory.glob(f"*{_SUFFIX}"))


def ask(directory: Path, process: str, question: str, patience: float) -> str | None:
    """What the process answers; None where it has gone, or does not answer for `patience` seconds."""
    path = directory / f"{process}{_SUFFIX}"
    try:
        with _unix_socket(path) as (connection, address):
            connection.settimeout(patience)
            connection.connect(address)
            connection.sendall(question.encode())
            connection.shutdown(socket.SHUT_WR)
            answer = bytearray()
            while len(answer) < _MOST_BYTES and (piece := connection.recv(65536)):
                answer += piece
            return answer.decode(errors="replace")
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)  # it was killed
        return None
    except OSError:
        return None


def _listen(path: Path) -> socket.socket:
    with _unix_socket(path) as (made, address):
        made.bind(address)
        made.listen(8)
        return made.dup()


@contextmanager
def _unix_socket(path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket, and a name for `path` that is short enough for one (unix(7): 107 bytes)."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            yield made, f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _serve(listening: socket.socket, answers: Mapping[str, Callable[[int], str]]) -> None:
    # One after the other: two profiles at a time would see each other.
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            try:
                connection.settimeout(_PATIENCE)
                question, _, number = connection.recv(_LONGEST_QUESTION).decode("ascii").partition(" ")
                connection.sendall(answers[question](int(number or 0)).encode(errors="replace"))
            except Exception:
                # Whatever is wrong with a question, or could not be looked at: the process goes on.
                log.exception("probe_failed")
