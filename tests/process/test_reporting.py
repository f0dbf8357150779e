"""Unexpected errors are told to the services that gather them, by their own libraries, without a secret."""

import gzip
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.certificates import make_pair
from tests.mirror.serving import wait_until
from tests.process.command import check_cannot_start, serve
from tests.repositories import Repository
from tests.servers import Server

DIGEST = "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


class Service:
    """Takes whatever is posted."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.port = 0


@pytest.fixture
def service() -> Iterator[Service]:
    """On loopback."""
    made = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            made.bodies.append(body.decode(errors="replace"))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its base's name
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["bugsnag", "sentry"])
def test_an_unexpected_error_is_reported(tmp_path: Path, service: Service, name: str) -> None:
    """With its exception and where it happened; a client's credentials and the state of its upload stay here."""
    settings: dict[str, Any] = {
        "bugsnag": {"apikey": "0" * 32, "releasestage": "testing", "endpoint": f"http://127.0.0.1:{service.port}"},
        "sentry": {"dsn": f"http://public@127.0.0.1:{service.port}/1", "environment": "testing"},
    }
    with Server(tmp_path, {"reporting": {name: settings[name]}}) as server, server.client() as client:
        blobs = server.root / "docker/registry/v2/blobs"
        blobs.parent.mkdir(parents=True, exist_ok=True)
        blobs.write_bytes(b"in the way")
        repository = Repository(client, "team/app")
        secret = {"Authorization": "Bearer planted-secret", "Cookie": "planted-cookie"}
        answer = repository.post("blobs/uploads/", params={"digest": DIGEST}, content=b"content", headers=secret)
        assert answer.status_code == 500
        wait_until(lambda: any("PathInvalid" in body for body in service.bodies))
        reported = next(body for body in service.bodies if "PathInvalid" in body)
        assert "/v2/team/app/blobs/uploads/" in reported
        assert "testing" in reported
        assert "planted" not in "".join(service.bodies)
        assert "_state" not in "".join(service.bodies)
        assert json.loads(reported.splitlines()[0])


class Collector:
    """New Relic's end of its agent's protocol, as far as an error needs it: `told` is what came, by method."""

    def __init__(self) -> None:
        self.told: dict[str, list[str]] = {}

    def answer(self, method: str, body: str) -> object:
        """What the agent gets for it; it sends what it has each tenth of a second, not each minute."""
        self.told.setdefault(method, []).append(body)
        limits = {"error_event_data": 100, "analytic_event_data": 0, "custom_event_data": 0, "log_event_data": 0}
        harvest = {"report_period_ms": 100, "harvest_limits": limits}
        connected = {
            "agent_run_id": "1",
            "collect_errors": True,
            "collect_error_events": True,
            "data_report_period": 1,
            "event_harvest_config": harvest,
        }
        return {"preconnect": {"redirect_host": "127.0.0.1"}, "connect": connected}.get(method)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[tuple[Collector, list[str]]]:
    """On loopback, over TLS as the agent wants it; and what sends an agent there."""
    made, pair = Collector(), make_pair(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            [method] = parse_qs(urlsplit(self.path).query)["method"]
            answer = json.dumps({"return_value": made.answer(method, body.decode())}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its base's name
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    host, port = "NEW_RELIC_HOST=127.0.0.1", f"NEW_RELIC_PORT={server.server_address[1]}"
    yield made, ["env", host, port, f"NEW_RELIC_CA_BUNDLE_PATH={pair.certificate}"]
    server.shutdown()
    server.server_close()


def test_new_relic_hears_of_an_unexpected_error(tmp_path: Path, collector: tuple[Collector, list[str]]) -> None:
    """Also of the first one, for which its agent has to be connected; and nobody hears of the key."""
    told, environment = collector[0].told, collector[1]
    settings = {"newrelic": {"licensekey": "planted-secret" + "0" * 26, "name": "the name", "verbose": True}}
    with Server(tmp_path, {"reporting": settings}, prefix=environment) as server, server.client() as client:
        blobs = server.root / "docker/registry/v2/blobs"
        blobs.parent.mkdir(parents=True, exist_ok=True)
        blobs.write_bytes(b"in the way")
        repository = Repository(client, "team/app")
        secret = {"Authorization": "Bearer planted-password", "Cookie": "planted-password"}
        answer = repository.post("blobs/uploads/", params={"digest": DIGEST}, content=b"content", headers=secret)
        assert answer.status_code == 500
        wait_until(lambda: any("PathInvalid" in body for body in told.get("error_event_data", [])))
        assert "the name" in told["connect"][0]
        everything = "".join(body for bodies in told.values() for body in bodies)
        assert "/v2/team/app/blobs/uploads/" in everything
        assert "planted" not in everything
        assert "said=" in server.output()


def test_what_is_refused_is_not_reported(tmp_path: Path, service: Service) -> None:
    """Only what nobody has foreseen."""
    settings = {"sentry": {"dsn": f"http://public@127.0.0.1:{service.port}/1"}}
    with Server(tmp_path, {"reporting": settings}) as server, server.client() as client:
        assert Repository(client).get("manifests/absent").status_code == 404
        assert service.bodies == []


def test_a_library_that_is_missing_is_told(tmp_path: Path) -> None:
    """With how to install it."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sentry_sdk.py").write_text("raise ImportError")
    settings = {"reporting": {"sentry": {"dsn": "http://public@127.0.0.1:1/1"}}}

    ended = serve(tmp_path, settings, environment={"PYTHONPATH": str(hidden)})

    check_cannot_start(ended, "reporting.sentry", "pip install 'entrepot[sentry]'")
