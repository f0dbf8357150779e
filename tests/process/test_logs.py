"""What a running server writes: log lines in each form, the access log, and no secret in either (R12, R33)."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from entrepot import __version__
from entrepot.testing.images import image
from entrepot.testing.upstreams import ThreadedUpstream
from tests.http.wire import Wire, exchange, request
from tests.process.command import COMMAND, entrepot, write_config
from tests.real.processes import Process, accepts
from tests.repositories import Repository, fresh_name
from tests.servers import IN_MEMORY, Server, choose_port, merge

FIELDS = {"environment": "test", "number": 3, "flag": True, "a key": "a value", "line": "a\nb\x1b[31m\r"}
BROKEN_UPSTREAM = {"proxy": {"remoteurl": "http://127.0.0.1:1"}, "storage": {"delete": None}}
"""A mirror of nothing: each pull leaves a warning."""

ACCESS = re.compile(
    r"(?P<client>\S+) - (?P<user>\S+) \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"(?P<method>\S+) (?P<target>(?:[^"\\]|\\.)*) (?P<version>HTTP/\S+)" (?P<status>\d{3}) (?P<size>\d+|-) '
    r'"(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"'
)


def logged(directory: Path, settings: Mapping[str, Any]) -> list[str]:
    """All that a server printed that was asked for an image that it cannot get."""
    with Server(directory, merge(BROKEN_UPSTREAM, settings)) as server:
        assert exchange(server.port, request("/v2/library/%1b%5b31m%0d%0aplanted/manifests/latest"))[0].status == 400
        assert exchange(server.port, request("/v2/library/a/manifests/latest"))[0].status == 503
    return (directory / "log").read_text().splitlines()


def test_text(tmp_path: Path) -> None:
    """Text lines are `key=value` with quotes where they are needed, and every configured field in each."""
    lines = logged(tmp_path, {"log": {"fields": FIELDS, "accesslog": {"disabled": True}}})
    entries = [line for line in lines if line.startswith("time=")]

    assert any('level=info msg="listening on 127.0.0.1:' in line for line in entries)
    assert any("level=warning" in line and "status=503" in line for line in entries)
    for line in entries:
        assert line.isprintable()
        assert re.match(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z level=[a-z]+ msg=", line)
        assert f"version={__version__}" in line
        assert "environment=test" in line
        assert "number=3" in line
        assert "flag=true" in line
        assert 'a_key="a value"' in line
        assert re.search(r"instance\.id=[0-9a-f-]{36}", line)


@pytest.mark.parametrize(
    ("formatter", "message", "time"), [("json", "msg", "time"), ("logstash", "message", "@timestamp")]
)
def test_json(tmp_path: Path, formatter: str, message: str, time: str) -> None:
    """Each line is a JSON object with Distribution's names; nothing else is printed but the access log, if that."""
    settings = {"log": {"formatter": formatter, "fields": FIELDS, "accesslog": {"disabled": True}}}
    entries = [json.loads(line) for line in logged(tmp_path, settings)]

    assert any(entry[message].startswith("listening on 127.0.0.1:") for entry in entries)
    assert any(entry.get("status") == 503 and entry["level"] == "warning" for entry in entries)
    for entry in entries:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry[time])
        assert entry["version"] == __version__
        assert FIELDS.items() <= entry.items()
        assert entry.get("@version") == ("1" if formatter == "logstash" else None)


@pytest.mark.parametrize(("level", "levels"), [("error", set()), ("warn", {"warning"})])
def test_level(tmp_path: Path, level: str, levels: set[str]) -> None:
    """Lines below the level are left out."""
    lines = logged(tmp_path, {"log": {"level": level, "formatter": "json", "accesslog": {"disabled": True}}})

    assert {json.loads(line)["level"] for line in lines} == levels


def access_lines(directory: Path, *requests: bytes) -> list[re.Match[str]]:
    """The access log of these requests."""
    with Server(directory, IN_MEMORY) as server:
        for one in requests:
            exchange(server.port, one, one.partition(b" ")[0].decode())
    lines = [line for line in (directory / "log").read_text().splitlines() if " - - [" in line]
    found = [ACCESS.fullmatch(line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if match is None]
    return [match for match in found if match is not None]


def test_access_log(tmp_path: Path) -> None:
    """Each request is one line in the combined format, with its status and the size of its answer."""
    lines = access_lines(
        tmp_path,
        request("/v2/?a=b", "User-Agent: agent/1.0 (x; y)", "Referer: http://localhost/a?b"),
        request("/v2/a/tags/list", method="HEAD"),
        request("/v2/", "Content-Length: 0", method="PUT"),
        request("/nowhere"),
        b"GET /v2/ HTTP/1.0\r\n\r\n",
        b"GET /v2/no-host HTTP/1.1\r\n\r\n",
    )
    seen = {(line["method"], line["target"], line["version"], line["status"]) for line in lines}

    assert seen >= {
        ("GET", "/v2/?a=b", "HTTP/1.1", "200"),
        ("HEAD", "/v2/a/tags/list", "HTTP/1.1", "404"),
        ("PUT", "/v2/", "HTTP/1.1", "405"),
        ("GET", "/nowhere", "HTTP/1.1", "404"),
        ("GET", "/v2/no-host", "HTTP/1.1", "400"),
    }
    assert all(line["client"] == "127.0.0.1" for line in lines)
    [full] = [line for line in lines if line["target"] == "/v2/?a=b"]
    assert (full["size"], full["referer"], full["agent"]) == ("2", "http://localhost/a?b", "agent/1.0 (x; y)")


def test_access_log_of_hostile_requests(tmp_path: Path) -> None:
    """R33: nothing a client sends ends a line, or a quote, or commands a terminal."""
    access_lines(
        tmp_path,
        request("/v2/%0d%0a127.0.0.1%20-%20-%20[planted]/tags/list"),
        request("/v2/%1b[31m/tags/list?x=%0a%1b"),
        request('/v2/"planted"/tags/list'),
        request("/v2/\\", 'User-Agent: a" "planted', "Referer: \\"),
        request("/v2/", "User-Agent: \t\x85\x9b31m\xe9", "Referer: a\tb"),
        request("/v2/", 'Referer: " 200 0 "" "'),
        request("/v2/%e2%80%ae%e2%80%a8/tags/list"),
        request("/v2/" + "a" * 8000, "User-Agent: " + "b" * 20_000),
        request("/v2/", method="M" * 500),
    )


def test_who_is_signed_in_is_in_the_access_log(tmp_path: Path) -> None:
    """As in every combined log: the user's name, whether the answer was worked for or given at once, else a dash."""
    path = tmp_path / "htpasswd"
    path.write_text(f"alice:{bcrypt.hashpw(b'hunter2', bcrypt.gensalt(4)).decode()}\n")
    with Server(tmp_path, {"auth": {"htpasswd": {"realm": "r", "path": str(path)}}}) as server:
        with server.client(auth=("alice", "hunter2")) as client:
            repository = Repository(client)
            blob = image(1).blobs[0]
            repository.push_blob(blob)
            assert [repository.get(f"blobs/{blob.digest}").status_code for _ in range(3)] == [200, 200, 200]
        exchange(server.port, request("/v2/"))
    lines = map(ACCESS.fullmatch, (tmp_path / "log").read_text().splitlines())

    seen = [(line["user"], line["status"]) for line in lines if line is not None]
    assert seen.count(("alice", "200")) == 3
    assert ("-", "401") in seen


def test_lines_say_what_request_they_are_for(tmp_path: Path) -> None:
    """By Distribution's names: its id, which is no other's, and who asked for what; several at once are not mixed."""
    with Server(tmp_path, merge(BROKEN_UPSTREAM, {"log": {"formatter": "json"}})) as server:
        names = [f"library/{fresh_name()}" for _ in range(8)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda name: exchange(server.port, request(f"/v2/{name}/manifests/1?q=planted")), names))
    lines = (tmp_path / "log").read_text().splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    refused = {entry["http.request.uri"]: entry for entry in entries if entry["msg"] == "request_refused"}

    assert refused.keys() == {f"/v2/{name}/manifests/1" for name in names}
    assert len({entry["http.request.id"] for entry in refused.values()}) == len(names)
    for entry in refused.values():
        assert entry["http.request.method"] == "GET"
        assert entry["http.request.host"] == "localhost"
        assert entry["http.request.remoteaddr"].startswith("127.0.0.1:")
    assert not any("http.request.id" in entry for entry in entries if entry["msg"].startswith("listening"))


def test_no_access_log(tmp_path: Path) -> None:
    """With `log.accesslog.disabled` requests leave no line."""
    with Server(tmp_path, merge(IN_MEMORY, {"log": {"accesslog": {"disabled": True}}})) as server:
        exchange(server.port, request("/v2/", "User-Agent: planted"))

    assert "planted" not in (tmp_path / "log").read_text()


SECRETS = (
    "planted-secret",
    "planted-password",
    "planted-token",
    "planted-user",
    base64.b64encode(b"a:planted").decode(),
)


def exercise(server: Server) -> list[str]:
    """Requests of all kinds that carry secrets, good and refused; returns the upload states that were given out."""
    made, states = image(1), []
    authorization = f"Authorization: Basic {SECRETS[-1]}"
    for lines in ((authorization,), ("Authorization: Bearer planted-token",), ("Cookie: session=planted-token",)):
        exchange(server.port, request("/v2/", *lines))
        exchange(server.port, request("/v2/library/a/manifests/latest", *lines))
        exchange(
            server.port,
            request("/v2/library/a/manifests/latest", *lines, "Content-Length: 2", method="PUT", body=b"{}"),
        )
        exchange(server.port, request("/nowhere", *lines, "Host: second"))
    with server.client() as client:
        repository = Repository(client)
        answer = repository.post("blobs/uploads/", headers={"Authorization": "Bearer planted-token"})
        if answer.status_code == 202:
            location = answer.headers["Location"]
            states.append(re.sub(r".*_state=", "", location))
            repository.push(made, "latest")
            for method in ("GET", "PATCH", "PUT", "DELETE"):
                client.request(method, location, content=b"")
            client.put(location.replace("_state=", "_state=x"))
        client.get(f"/v2/{'a' * 300}/blobs/uploads/x?_state=planted-token")
    return states


def check_no_secrets(printed: str, *secrets: str) -> None:
    """None of them is in it, in whatever encoding."""
    for secret in secrets:
        for form in (secret, base64.b64encode(secret.encode()).decode().rstrip("="), secret.encode().hex()):
            assert form not in printed, secret


def test_no_secret_of_a_registry_is_printed(tmp_path: Path) -> None:
    """R12: neither `http.secret` nor a client's credentials are in the output, even at the level of debugging."""
    with Server(tmp_path, {"http": {"secret": "planted-secret"}, "log": {"level": "debug"}}) as server:
        exercise(server)

    check_no_secrets((tmp_path / "log").read_text(), "planted-secret", "Bearer planted", SECRETS[-1], "session=")


def test_no_secret_of_a_mirror_is_printed(tmp_path: Path) -> None:
    """R12: nor are the upstream's credentials, whether it takes them or is not there."""
    proxy = {"username": "planted-user", "password": "planted-password"}
    with ThreadedUpstream() as upstream:
        upstream.add_image("library/a", "latest", image(1))
        settings = {
            "proxy": proxy | {"remoteurl": upstream.url},
            "storage": {"delete": None},
            "log": {"level": "debug", "formatter": "json"},
        }
        with Server(tmp_path, settings) as server:
            exercise(server)
    with Server(tmp_path, settings) as server:
        exercise(server)

    check_no_secrets((tmp_path / "log").read_text(), "planted-password", "Bearer planted", SECRETS[-1])


def test_no_upload_state_is_printed(tmp_path: Path) -> None:
    """R12, R20: who reads the log cannot go on with anybody's upload."""
    with Server(tmp_path) as server:
        states = exercise(server)

    assert states
    check_no_secrets((tmp_path / "log").read_text(), *states)


def test_no_secret_of_a_bad_configuration_is_printed(tmp_path: Path) -> None:
    """R12: a problem names its place, and never the value of a secret."""
    settings = {
        "http": {"secret": ["planted-secret"], "adr": "planted-not-secret"},
        "proxy": {
            "remoteurl": "https://planted-user:planted-password@example.com",
            "password": {"a": "planted-password"},
        },
        "redis": {"password": "planted-password", "addr": "localhost:6379"},
        "auth": {
            "token": {"realm": "https://a", "service": "b", "issuer": "c", "rootcertbundle": "planted-not-secret"}
        },
    }
    ended = entrepot(
        "serve", str(write_config(tmp_path, settings)), environment={"REGISTRY_HTTP_SECRET": "[planted-secret]"}
    )

    assert ended.status == 2
    check_no_secrets(ended.out + ended.err, "planted-secret", "planted-password")


@pytest.mark.parametrize("redirection", [">&- 2>&-", ">&-", ">/dev/full 2>&1"])
def test_streams_that_take_nothing(tmp_path: Path, redirection: str) -> None:
    """F-134: a server whose output is closed, or on a full disk, serves all the same; its files are its own."""
    port = choose_port()
    config = write_config(tmp_path, port=port)
    shell = f'exec "$@" {redirection}'
    process = Process(["sh", "-c", shell, "sh", *COMMAND, "serve", str(config)], tmp_path / "log")
    try:
        process.wait_until(lambda: accepts(port))
        content = bytes(300_000)
        name, digest = fresh_name(), f"sha256:{hashlib.sha256(content).hexdigest()}"
        path = f"/v2/{name}/blobs/uploads/?digest={digest}"
        put = exchange(port, request(path, f"Content-Length: {len(content)}", method="POST", body=content))[0]
        assert put.status == 201
        assert exchange(port, request(f"/v2/{name}/blobs/{digest}"))[0].body == content
        assert exchange(port, request("/v2/library/a/manifests/latest"))[0].status == 404
    finally:
        assert process.stop() == 0


def test_reader_of_the_log_that_goes_away(tmp_path: Path) -> None:
    """F-134: a pipe whose reader has gone, or does not read, holds up no request."""
    port = choose_port()
    config = write_config(tmp_path, port=port)
    fifo = tmp_path / "fifo"
    shell = 'mkfifo "$0"; exec 3<>"$0"; exec "$@" >"$0" 2>&1'
    process = Process(["sh", "-c", shell, str(fifo), *COMMAND, "serve", str(config)], tmp_path / "log")
    try:
        process.wait_until(lambda: accepts(port))
        with Wire(port) as wire:
            for _ in range(1500):
                wire.send(request("/v2/unknown/manifests/latest", "User-Agent: " + "a" * 400))
                answer = wire.answer()
                assert answer is not None
                assert answer.status == 404
    finally:
        assert process.stop() == 0


def test_quiet_server(tmp_path: Path) -> None:
    """The log of a quiet server has the lines of its start, and not one more."""
    with Server(tmp_path, merge(IN_MEMORY, {"log": {"formatter": "json"}})) as server:
        exchange(server.port, request("/v2/"))
        entries = [line for line in server.output().splitlines() if line.startswith("{")]

    assert len(entries) == 1
