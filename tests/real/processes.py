"""A child process with a log file, ended by its own id: what every real program of the tests is started with."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Generous limits, met only by a program that hangs; nothing is measured against them.
START_LIMIT = 60.0
STOP_LIMIT = 30.0
RUN_LIMIT = 120.0

# The last two let coverage measure the children.
KEPT = ("HOME", "TMPDIR", "LANG", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")

# Clients of a mirror fall back to the registry itself: they must meet a closed port of this machine there, not the
# network.
LOOPBACK_ONLY: Mapping[str, str] = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1",
}


class ProgramFailed(Exception):
    """A program ended early, did not come up, or answered with a failure; the message holds what it printed."""


class Process:
    """One child process in a session of its own whose output is appended to `log`."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._log = log
        with log.open("ab") as output:
            self._started_at = output.tell()
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=clean_environment(environment),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._popen.pid

    def output(self) -> str:
        """What the process has printed since it was started."""
        with self._log.open("rb") as stream:
            stream.seek(self._started_at)
            return stream.read().decode(errors="replace")

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Return once `ready()` is true; raise ProgramFailed when the process ends or hangs before."""
        deadline = time.monotonic() + START_LIMIT
        while not ready():
            if self._popen.poll() is not None:
                raise ProgramFailed(f"ended with {self._popen.returncode}:\n{self.output()[-4000:]}")
            if time.monotonic() > deadline:
                self.kill()
                raise ProgramFailed(f"not ready in {START_LIMIT:.0f} s:\n{self.output()[-4000:]}")
            time.sleep(0.02)

    def stop(self) -> int:
        """Ask the process to end, kill its group when it does not, and return its exit status."""
        if self._popen.poll() is None:
            self._popen.terminate()
        try:
            return self._popen.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End the whole process group at once, as a crash would, and return the exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._popen.wait()


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return its standard output; raise ProgramFailed when it fails."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=clean_environment(environment),
        timeout=RUN_LIMIT,
        check=False,
    )
    if done.returncode != 0:
        output = (done.stdout + done.stderr).decode(errors="replace")
        raise ProgramFailed(f"{' '.join(command)}\nended with {done.returncode}:\n{output[-4000:]}")
    return done.stdout.decode(errors="replace")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment without the caller's proxies, credentials and settings (`REGISTRY_…`, `DOCKER_…`)."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    return {**kept, "PATH": path, **(extra or {})}


def accepts(port: int) -> bool:
    """Tell whether something listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
