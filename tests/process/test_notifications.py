"""Notifications over real sockets: who is told what, in what order, and what becomes of it in times of trouble."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from entrepot.testing.images import SampleManifest, image, index, layer
from entrepot.testing.upstreams import ThreadedUpstream
from tests.endpoints import Endpoint
from tests.mirror.serving import wait_until
from tests.process.test_reload import reload
from tests.real.docker_registry import DockerRegistry
from tests.repositories import Repository
from tests.servers import IN_MEMORY, Server, choose_port, merge
from tests.unit.upstream.authorities import make_authority, server_context

AGENT = "agent/1.0"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """One that takes everything."""
    with Endpoint() as running:
        yield running


def settings(endpoint: Endpoint, **more: Any) -> dict[str, Any]:
    """A configuration that tells it."""
    one = {"name": "recorder", "url": endpoint.url, "timeout": "5s", "threshold": 3, "backoff": "50ms", **more}
    return {"storage": {"delete": {"enabled": True}}, "notifications": {"endpoints": [one]}}


def story(client: httpx.Client, made: SampleManifest | None = None) -> None:
    """All that anybody is told of, once each."""
    repository = Repository(client, "team/app")
    made = made or image(1)
    for blob in made.blobs:
        repository.push_blob(blob)
    assert repository.put_manifest("v1", made).status_code == 201
    accept = {"Accept": made.media_type}
    assert repository.get("manifests/v1", headers=accept).status_code == 200
    assert repository.head(f"manifests/{made.digest}", headers=accept).status_code == 200
    assert repository.get(f"blobs/{made.blobs[0].digest}").status_code == 200
    assert repository.head(f"blobs/{made.blobs[0].digest}").status_code == 200
    mount = {"mount": made.blobs[0].digest, "from": "team/app"}
    assert Repository(client, "team/other").post("blobs/uploads/", params=mount).status_code == 201
    assert repository.get("manifests/absent").status_code == 404
    assert repository.delete(f"manifests/{made.digest}").status_code == 202
    assert repository.delete(f"blobs/{made.blobs[0].digest}").status_code == 202


DELETIONS = 3
"""Of the tag, its manifest, and a blob: the last things in it."""


def told(endpoint: Endpoint) -> list[str]:
    return [event["action"] for event in endpoint.received]


def is_complete(endpoint: Endpoint) -> bool:
    return told(endpoint).count("delete") == DELETIONS


def comparable(event: dict[str, Any], address: str) -> dict[str, Any]:
    """What must be the same, whoever tells it."""
    event = {**event, "id": bool(event["id"]), "timestamp": event["timestamp"][:4]}
    event["source"] = {key: bool(value) for key, value in event["source"].items()}
    event["request"] = {**event["request"], "id": bool(event["request"]["id"]), "addr": "127.0.0.1"}
    event["request"]["host"] = event["request"]["host"].replace(address, "HOST")
    if "url" in event["target"]:
        event["target"]["url"] = event["target"]["url"].replace(address, "HOST")
    return event


def test_it_tells_what_distribution_tells(tmp_path: Path) -> None:
    """The same story, event by event and field by field."""
    made = image([layer({"a": b"content"})])
    with Endpoint() as ours, Endpoint() as theirs:
        with Server(tmp_path, merge(settings(ours), references())) as server:
            with server.client(headers={"User-Agent": AGENT}) as client:
                story(client, made)
            wait_until(lambda: is_complete(ours))
            address = server.address
        debian = DockerRegistry(tmp_path / "debian", more=merge(settings(theirs), references()))
        with debian, httpx.Client(base_url=debian.url, headers={"User-Agent": AGENT}) as client:
            story(client, made)
            wait_until(lambda: is_complete(theirs))

        def of(events: list[dict[str, Any]], host: str) -> list[dict[str, Any]]:
            return [comparable(event, host) for event in events]

        assert of(ours.received, address) == of(theirs.received, debian.address)
        kinds = [{one[0]["content-type"] for one in endpoint.requests} for endpoint in (ours, theirs)]
        assert kinds[0] == kinds[1] == {"application/vnd.docker.distribution.events.v1+json"}
        assert all(body.startswith(b'{\n   "events": [\n      {') for _, body in ours.requests)


def references() -> dict[str, Any]:
    return {"notifications": {"events": {"includereferences": True}}}


def test_headers_of_the_endpoint(tmp_path: Path, endpoint: Endpoint) -> None:
    """They are sent along, and printed nowhere."""
    more = {"headers": {"Authorization": ["Bearer planted-secret"], "X-Word": ["a", "b"]}}
    with Server(tmp_path, settings(endpoint, **more)) as server, server.client() as client:
        Repository(client).push_blob(b"content")
        wait_until(lambda: told(endpoint) == ["push"])
        headers, _ = endpoint.requests[0]
        assert headers["authorization"] == "Bearer planted-secret"
        assert headers["user-agent"].startswith("entrepot/")
        assert "planted" not in server.output()


@pytest.mark.parametrize(
    "ignoring",
    [{"ignore": {"actions": ["pull"]}}, {"ignore": {"mediatypes": ["application/octet-stream"]}}, {"disabled": True}],
)
def test_what_an_endpoint_does_not_want(tmp_path: Path, endpoint: Endpoint, ignoring: dict[str, Any]) -> None:
    """By action, by media type, or all of it; another endpoint hears it."""
    with Endpoint() as second:
        both = settings(endpoint, **ignoring)
        both["notifications"]["endpoints"] += settings(second, name="second")["notifications"]["endpoints"]
        with Server(tmp_path, both) as server, server.client() as client:
            story(client)
            wait_until(lambda: is_complete(second))
            if "disabled" not in ignoring:
                wait_until(lambda: is_complete(endpoint))
        unwanted = [
            event
            for event in endpoint.received
            if event["action"] in ignoring.get("ignore", {}).get("actions", ())
            or event["target"].get("mediaType") in ignoring.get("ignore", {}).get("mediatypes", ())
            or "disabled" in ignoring
        ]
        assert unwanted == []
        assert len(endpoint.received) < len(second.received)


def test_two_endpoints_of_one_name_are_both_told(tmp_path: Path, endpoint: Endpoint) -> None:
    """As by Distribution."""
    with Endpoint() as second:
        both = settings(endpoint)
        both["notifications"]["endpoints"] += settings(second)["notifications"]["endpoints"]
        with Server(tmp_path, both) as server, server.client() as client:
            Repository(client).push_blob(b"content")
            wait_until(lambda: told(endpoint) == told(second) == ["push"])


def test_an_endpoint_that_fails_is_told_again_in_order(tmp_path: Path, endpoint: Endpoint) -> None:
    """Until it takes each, however often it refuses; the log says so once."""
    endpoint.answer = lambda number: 500 if number % 5 else 202
    with Server(tmp_path, settings(endpoint)) as server, server.client() as client:
        repository = Repository(client)
        digests = [repository.push_blob(os.urandom(100)) for _ in range(6)]
        wait_until(lambda: len(endpoint.received) == 6)

        assert [event["target"]["digest"] for event in endpoint.received] == digests
        assert server.output().count("endpoint_failed") <= 6


def test_a_hanging_endpoint_holds_up_nobody(tmp_path: Path, endpoint: Endpoint) -> None:
    """Neither clients nor other endpoints."""
    endpoint.hangs.set()
    with Endpoint() as second:
        both = settings(endpoint, timeout="200ms")
        both["notifications"]["endpoints"] += settings(second, name="second")["notifications"]["endpoints"]
        with Server(tmp_path, both) as server, server.client() as client:
            repository = Repository(client)
            digests = [repository.push_blob(os.urandom(100)) for _ in range(5)]
            wait_until(lambda: len(second.received) == 5)
            assert endpoint.received == []
            endpoint.hangs.clear()
            wait_until(lambda: {event["target"]["digest"] for event in endpoint.received} == set(digests))


def test_what_was_acknowledged_is_told_after_a_kill(tmp_path: Path) -> None:
    """kill -9 of everything while the endpoint is down: after a restart it hears of all, at least once, in order."""
    endpoint = Endpoint()
    with endpoint:
        pass  # its port is known now, and nobody listens
    server = Server(tmp_path, settings(endpoint))
    server.start()
    with server.client() as client:
        repository = Repository(client)
        digests = [repository.push_blob(os.urandom(100)) for _ in range(20)]
    server.kill()
    with endpoint:
        server.start()
        try:
            wait_until(lambda: len({event["target"]["digest"] for event in endpoint.received}) == 20)
        finally:
            server.stop()
        heard = list(dict.fromkeys(event["target"]["digest"] for event in endpoint.received))
        assert heard == digests


def test_several_workers_tell_in_the_order_of_each_repository(tmp_path: Path, endpoint: Endpoint) -> None:
    """Each client's pushes come in the order in which they were acknowledged, whichever worker took them."""
    workers = ("env", "ENTREPOT_WORKERS=2")
    with Server(tmp_path, settings(endpoint, ignore={"actions": ["pull"]}), prefix=workers) as server:

        def push(number: int) -> list[str]:
            digests = []
            for _ in range(10):
                with server.client() as client:  # a new connection, and perhaps another worker
                    digests.append(Repository(client, f"team/app{number}").push_blob(os.urandom(100)))
            return digests

        with ThreadPoolExecutor(4) as pool:
            pushed = list(pool.map(push, range(4)))
        wait_until(lambda: len(endpoint.received) == 40)
        for number, digests in enumerate(pushed):
            heard = [one["target"] for one in endpoint.received if one["target"]["repository"] == f"team/app{number}"]
            assert [target["digest"] for target in heard] == digests


def test_an_endpoint_may_have_moved(tmp_path: Path, endpoint: Endpoint) -> None:
    """A redirect that keeps the method is followed, once for each event."""
    with Endpoint() as second:
        endpoint.answer, endpoint.location = lambda _: 307, second.url
        with Server(tmp_path, settings(endpoint)) as server, server.client() as client:
            Repository(client).push_blob(b"content")
            Repository(client).push_blob(b"more")
            wait_until(lambda: told(second) == ["push", "push"])
        assert len(endpoint.requests) == 2


@pytest.mark.parametrize("is_trusted", [True, False])
def test_an_endpoint_with_tls(tmp_path: Path, is_trusted: bool) -> None:
    """Its certificate must be signed by somebody whom the system trusts."""
    authority = make_authority(tmp_path, "authority")
    context = server_context(authority.sign("endpoint"))
    trust = ("env", f"SSL_CERT_FILE={authority.certificate}") if is_trusted else ()
    with Endpoint(context) as secure, Server(tmp_path / "server", settings(secure), prefix=trust) as server:
        with server.client() as client:
            Repository(client).push_blob(b"content")
        if is_trusted:
            wait_until(lambda: told(secure) == ["push"])
        else:
            wait_until(lambda: "endpoint_failed" in server.output())
            assert secure.requests == []


def test_events_name_who_did_it(tmp_path: Path, endpoint: Endpoint) -> None:
    """The user of the password."""
    (tmp_path / "htpasswd").write_text(f"alice:{bcrypt.hashpw(b'password', bcrypt.gensalt(4)).decode()}\n")
    auth = {"auth": {"htpasswd": {"realm": "realm", "path": str(tmp_path / "htpasswd")}}}
    with (
        Server(tmp_path, merge(settings(endpoint), auth)) as server,
        server.client(auth=("alice", "password")) as client,
    ):
        Repository(client).push_blob(b"content")
        wait_until(lambda: told(endpoint) == ["push"])

    assert endpoint.received[0]["actor"] == {"name": "alice"}


def test_an_endpoint_is_added_and_taken_away_while_it_runs(tmp_path: Path, endpoint: Endpoint) -> None:
    """SIGHUP: the new one hears of what happens from then on, and the old one of all that happened before."""
    with Endpoint() as second, Server(tmp_path, settings(endpoint)) as server:
        with server.client() as client:
            before = Repository(client).push_blob(b"before")
        wait_until(lambda: told(endpoint) == ["push"])
        reload(server, settings(second, name="second"))

        def push() -> str:
            with server.client() as client:
                return Repository(client).push_blob(os.urandom(100))

        wait_until(lambda: push() and second.received)
        last = push()
        wait_until(lambda: second.received[-1]["target"]["digest"] == last)

        assert before not in {event["target"]["digest"] for event in second.received}
        assert last not in {event["target"]["digest"] for event in endpoint.received}


def test_a_full_disk_keeps_nobody_from_pulling(tmp_path: Path, endpoint: Endpoint) -> None:
    """Where events cannot be written they are lost, and the log and a figure say so."""
    debug = {"addr": f"127.0.0.1:{choose_port()}", "prometheus": {"enabled": True}}
    counted = merge(settings(endpoint), {"http": {"debug": debug}})
    with Server(tmp_path, counted) as server, server.client() as client:
        repository = Repository(client)
        digest = repository.push_blob(b"content")
        wait_until(lambda: told(endpoint) == ["push"])
        outbox = server.root / "entrepot"
        for path in outbox.glob("outbox.db*"):
            path.unlink()
        outbox.rename(tmp_path / "away")
        outbox.write_bytes(b"in the way")
        with server.client() as other:
            again = Repository(other, repository.name)
            assert again.push_blob(b"more")
            assert again.get(f"blobs/{digest}").content == b"content"
        wait_until(lambda: "events_not_written" in server.output())
        lost = 'entrepot_notifications_lost_total{reason="unwritten"} '
        wait_until(lambda: lost in httpx.get(f"http://{debug['addr']}/metrics").text)


def test_a_mirror_tells_of_pulls_alone(tmp_path: Path, endpoint: Endpoint) -> None:
    """Not of what it keeps; cold and warm are the same."""
    with ThreadedUpstream() as upstream:
        upstream.add_image("library/app", "latest", made := index([image(1)]))
        more = merge(settings(endpoint), {"proxy": {"remoteurl": upstream.url}})
        with Server(tmp_path, more) as server, server.client() as client:
            for _ in range(2):
                Repository(client, "library/app").get("manifests/latest")
            wait_until(lambda: told(endpoint) == ["pull", "pull"])
            assert {event["target"]["digest"] for event in endpoint.received} == {made.digest}


def test_events_of_a_registry_in_memory(tmp_path: Path, endpoint: Endpoint) -> None:
    """They are told, too."""
    notifications = {"notifications": settings(endpoint)["notifications"]}
    with Server(tmp_path, merge(IN_MEMORY, notifications)) as server, server.client() as client:
        Repository(client).push_blob(b"content")
        wait_until(lambda: told(endpoint) == ["push"])


def test_figures(tmp_path: Path, endpoint: Endpoint) -> None:
    """What was sent and how it was answered, under Distribution's names."""
    endpoint.answer = lambda number: 503 if number == 0 else 200
    debug = {"addr": f"127.0.0.1:{choose_port()}", "prometheus": {"enabled": True}}
    with Server(tmp_path, merge(settings(endpoint), {"http": {"debug": debug}})) as server, server.client() as client:
        Repository(client).push_blob(b"content")
        wait_until(lambda: told(endpoint) == ["push"])
        expected = [
            'registry_notifications_events_total{endpoint="recorder",type="Events"} 1.0',
            'registry_notifications_events_total{endpoint="recorder",type="Failures"} 1.0',
            'registry_notifications_events_total{endpoint="recorder",type="Successes"} 1.0',
            'registry_notifications_status_total{code="503",endpoint="recorder"} 1.0',
            'registry_notifications_pending_total{endpoint="recorder"} 0.0',
        ]
        wait_until(lambda: set(expected) <= set(httpx.get(f"http://{debug['addr']}/metrics").text.splitlines()))
