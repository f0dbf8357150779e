"""Certificates from an ACME service: Debian's `pebble`, which checks the answers to its challenges as any other."""

import json
import os
import signal
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.http.test_certificates import connected
from tests.mirror.serving import wait_until
from tests.process.command import serve
from tests.programs import need
from tests.real.processes import Process
from tests.servers import Server, choose_port
from tests.unit.upstream.authorities import make_authority

LIFE = 21
"""Seconds: a third of it before its end a certificate is fetched anew."""


class Pebble:
    """The service, its directory, who signed its own certificate, and where it looks for answers."""

    def __init__(self, directory: Path) -> None:
        self.port, self.management, self.challenges = choose_port(), choose_port(), choose_port()
        authority = make_authority(directory, "service")
        self.ca = authority.certificate
        own = authority.sign("pebble", host="DNS:localhost,IP:127.0.0.1")
        self._config = directory / "pebble.json"
        self._config.write_text(
            json.dumps(
                {
                    "pebble": {
                        "listenAddress": f"127.0.0.1:{self.port}",
                        "managementListenAddress": f"127.0.0.1:{self.management}",
                        "certificate": str(own),
                        "privateKey": str(own),
                        "httpPort": self.challenges,
                        "tlsPort": choose_port(),
                        "certificateValidityPeriod": LIFE,
                    }
                }
            )
        )
        self._log = directory / "pebble.log"
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/dir"

    def start(self) -> None:
        environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5"}
        command = ["env", *(f"{key}={value}" for key, value in environment.items()), need("pebble")]
        self._process = Process([*command, "-config", str(self._config)], self._log)
        self._process.wait_until(self._answers)

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()

    def root(self) -> str:
        """Whom clients of its certificates have to trust."""
        return httpx.get(f"https://127.0.0.1:{self.management}/roots/0", verify=self._trusting()).text

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url, verify=self._trusting()).status_code == 200
        except httpx.TransportError:
            return False

    def _trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)


@pytest.fixture
def pebble(tmp_path: Path) -> Iterator[Pebble]:
    """One that runs."""
    directory = tmp_path / "pebble"
    directory.mkdir()
    made = Pebble(directory)
    made.start()
    yield made
    made.stop()


def settings(pebble: Pebble, cache: Path, **more: Any) -> dict[str, Any]:
    fetched = {
        "cachefile": str(cache),
        "email": "you@example.org",
        "hosts": ["localhost"],
        "directoryurl": pebble.url,
        "directoryca": str(pebble.ca),
        "challengeaddr": f"127.0.0.1:{pebble.challenges}",
        **more,
    }
    return {"http": {"tls": {"letsencrypt": fetched}}}


def shown(server: Server, trusted: str) -> int:
    """The serial number of the certificate that a client sees who trusts the service's root alone."""
    context = ssl.create_default_context(cadata=trusted)
    with connected(server, context) as connection:
        certificate = connection.getpeercert() or {}
        return int(str(certificate["serialNumber"]), 16)


def shows_another(server: Server, trusted: str, first: int) -> bool:
    try:
        return shown(server, trusted) != first
    except ssl.SSLCertVerificationError:
        return False  # on a busy machine the first one, which lives for seconds, may end before the next is there


def test_a_certificate_is_fetched_kept_and_renewed(tmp_path: Path, pebble: Pebble) -> None:
    """Before the server serves; a restart goes on with it though the service is down; new connections see the next."""
    cache = tmp_path / "acme"
    server = Server(tmp_path / "server", settings(pebble, cache))
    server.start()
    try:
        root = pebble.root()
        first = shown(server, root)
        assert stat.S_IMODE(cache.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in cache.iterdir()} == {0o600}
        assert {path.name for path in cache.iterdir()} == {"account.pem", "certificate.pem", "key.pem"}
        server.stop()

        os.kill(pebble._process.pid, signal.SIGSTOP)  # type: ignore[union-attr]
        server.start()
        assert shown(server, root) == first
        os.kill(pebble._process.pid, signal.SIGCONT)  # type: ignore[union-attr]

        wait_until(lambda: shows_another(server, root, first))
        assert "certificate_renewed" in server.output()
    finally:
        server.stop()


def test_a_service_that_gives_none(tmp_path: Path, pebble: Pebble) -> None:
    """The start fails with one line that says why: not trusted, or no answer to its challenge."""
    strangers = make_authority(tmp_path, "strangers").certificate
    untrusted = settings(pebble, tmp_path / "acme", directoryca=str(strangers))
    elsewhere = settings(pebble, tmp_path / "acme", challengeaddr=f"127.0.0.1:{choose_port()}")
    for wrong, word in ((untrusted, "CERTIFICATE_VERIFY_FAILED"), (elsewhere, "localhost")):
        ended = serve(tmp_path, wrong)
        assert ended.status == 1
        asked, line = ended.err.splitlines()
        assert "certificate_asked_for" in asked
        assert line.startswith("entrepot cannot start: http.tls.letsencrypt: no certificate was to be had: ")
        assert word in line
