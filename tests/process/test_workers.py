"""Several workers: they share what they know, and one that ends is replaced while the others serve."""

import hashlib
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from entrepot.testing.images import image, random_blob
from tests.conftest import Serve
from tests.http.conftest import impatient
from tests.http.processes import await_workers, is_gone, worker_of, workers
from tests.http.waiting import wait_until
from tests.http.wire import Answer, Wire, begin_upload, exchange, request, statuses, stored
from tests.real.processes import ProgramFailed
from tests.repositories import Repository, fresh_name
from tests.servers import Server

CONNECTIONS = 16
"""So many that each of two workers has some of them, but for one in thirty thousand runs."""


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    """A server of one worker a core."""
    return serve()


@pytest.fixture
def clients(server: Server) -> Iterator[list[httpx.Client]]:
    """Clients with a connection each, to whatever worker the kernel gave it."""
    with ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(CONNECTIONS)]
        for client in clients:
            client.get("/v2/")
        yield clients


def test_one_worker_for_each_core(server: Server) -> None:
    """The server has as many workers as it may use cores."""
    assert len(await_workers(server.pid)) == len(os.sched_getaffinity(0))


def test_workers_option(tmp_path: Path) -> None:
    """`--workers` says how many."""
    with Server(tmp_path, prefix=("env", "ENTREPOT_WORKERS=3")) as server:
        assert len(await_workers(server.pid, 3)) == 3


def test_push_is_seen_by_all(clients: list[httpx.Client]) -> None:
    """What is pushed through one connection can be pulled through all others at once."""
    for writer in clients[:4]:
        made, pushed = image(1), Repository(writer)
        pushed.push(made, "latest")
        for client in clients:
            repository = Repository(client, pushed.name)
            assert repository.get("manifests/latest").content == made.content
            assert repository.head(f"manifests/{made.digest}").status_code == 200
            assert repository.tags() == ["latest"]
            for blob in made.all_blobs():
                assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_moved_tag_is_seen_by_all(clients: list[httpx.Client]) -> None:
    """A tag that was moved names the new manifest in all workers at once, however often it was read before."""
    first, second = image(1), image(2)
    pushed = Repository(clients[0])
    pushed.push(first, "latest")
    pushed.push(second)
    for turn in range(8):
        moved = (second, first)[turn % 2]
        Repository(clients[turn], pushed.name).put_manifest("latest", moved)
        for client in clients:
            assert Repository(client, pushed.name).get("manifests/latest").content == moved.content


def test_delete_is_seen_by_all(clients: list[httpx.Client]) -> None:
    """What is deleted through one connection is gone in all others at once, though they have just read it (R6)."""
    made = image(1)
    [blob, *_] = made.all_blobs()
    deletions = (
        ("manifests/a", {"manifests/a"}),
        (f"manifests/{made.digest}", {f"manifests/{made.digest}", "manifests/b"}),
        (f"blobs/{blob.digest}", {f"blobs/{blob.digest}"}),
    )
    for deleter in clients[:4]:
        pushed = Repository(deleter)
        pushed.push(made, "a", "b")
        everywhere = [Repository(client, pushed.name) for client in clients]
        for path, gone in deletions:
            assert {one.get(each).status_code for one in everywhere for each in gone} == {200}
            assert pushed.delete(path).status_code == 202
            assert {one.get(each).status_code for one in everywhere for each in gone} == {404}


def test_upload_goes_from_worker_to_worker(clients: list[httpx.Client]) -> None:
    """Each chunk of an upload may come through another connection, and its end through one that saw none of it."""
    blob = random_blob(CONNECTIONS * 1000)
    upload = Repository(clients[0]).begin()
    for number, client in enumerate(clients):
        upload = upload.moved_to(client)
        start = number * 1000
        assert upload.append_at(start, blob.content[start : start + 1000]).status_code == 202

    assert upload.moved_to(clients[0]).finish(blob.digest).status_code == 201


def connect(stack: ExitStack, server: Server, wanted: Callable[[int], bool]) -> Wire:
    """A connection that a worker has accepted whose id is wanted."""
    while True:
        wire = stack.enter_context(Wire(server.port))
        wire.send(request("/v2/"))
        assert wire.answer() is not None
        worker = worker_of(server.pid, server.port, wire.socket.getsockname()[1])
        if worker is not None and wanted(worker):
            return wire


def ask(wire: Wire, *args: str, **options: Any) -> Answer:
    wire.send(request(*args, **options))
    answer = wire.answer()
    assert answer is not None
    return answer


def path_of(location: str) -> str:
    return httpx.URL(location).raw_path.decode()


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[Server]:
    """A server of two workers whatever the machine is, which never stops to replace them."""
    server = impatient(tmp_path / "two", {}, body=60.0)
    with server:
        await_workers(server.pid, 2)
        yield server


def test_killed_worker(two_workers: Server) -> None:
    """kill -9 of one: the other goes on, also with an upload that began in the dead one, which is soon replaced."""
    server, content = two_workers, secrets.token_bytes(6000)
    first, second = workers(server.pid)
    name, digest = fresh_name(), f"sha256:{hashlib.sha256(content).hexdigest()}"
    with ExitStack() as stack:
        doomed = connect(stack, server, lambda worker: worker == first)
        other = connect(stack, server, lambda worker: worker == second)
        begun = ask(doomed, f"/v2/{name}/blobs/uploads/", "Content-Length: 0", method="POST")
        location = path_of(begun.headers["location"])
        half = ask(doomed, location, "Content-Length: 3000", method="PATCH", body=content[:3000])
        assert half.status == 202
        os.kill(first, signal.SIGKILL)

        assert doomed.answer() is None
        told = ask(other, location)
        assert (told.status, told.headers["range"]) == (204, "0-2999")
        target = f"{path_of(half.headers['location'])}&digest={digest}"
        assert ask(other, target, "Content-Length: 3000", method="PUT", body=content[3000:]).status == 201

        wait_until(lambda: len(workers(server.pid)) == 2 and first not in workers(server.pid))
        [third] = set(workers(server.pid)) - {second}
        new = connect(stack, server, lambda worker: worker == third)
        assert ask(new, f"/v2/{name}/blobs/{digest}").body == content
        assert ask(other, f"/v2/{name}/blobs/{digest}").body == content

    [line] = [line for line in server.output().splitlines() if "worker_ended" in line]
    assert f"pid={first}" in line
    assert "status=-9" in line
    server.stop()


def test_worker_killed_in_the_middle_of_an_upload(two_workers: Server) -> None:
    """What the dead worker had written is told, and the rest is taken by whoever is asked next."""
    server, content = two_workers, secrets.token_bytes(4 << 20)
    name, digest = fresh_name(), f"sha256:{hashlib.sha256(content).hexdigest()}"
    location = begin_upload(server.port, name)
    first, second = workers(server.pid)
    with ExitStack() as stack:
        doomed = connect(stack, server, lambda worker: worker == first)
        doomed.send(request(location, f"Content-Length: {len(content)}", method="PATCH", body=content[: 3 << 20]))
        data = next(server.root.rglob("startedat")).parent / "data"
        wait_until(lambda: data.exists() and data.stat().st_size > 0)
        os.kill(first, signal.SIGKILL)
        assert doomed.answer() is None

        other = connect(stack, server, lambda worker: worker == second)
        offset = stored(server.port, location)
        assert 0 < offset <= 3 << 20
        lines = (f"Content-Length: {len(content) - offset}", f"Content-Range: {offset}-{len(content) - 1}")
        finished = ask(other, f"{location}&digest={digest}", *lines, method="PUT", body=content[offset:])
        assert finished.status == 201
        assert ask(other, f"/v2/{name}/blobs/{digest}").body == content


def test_worker_killed_again_and_again(two_workers: Server) -> None:
    """A server that has run for a while does not give up, however often a worker ends."""
    for _ in range(4):
        worker = workers(two_workers.pid)[-1]
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: worker not in workers(two_workers.pid) and len(workers(two_workers.pid)) == 2)  # noqa: B023

    assert statuses(exchange(two_workers.port, request("/v2/"))) == [200, 200]


def test_workers_that_never_begin(tmp_path: Path) -> None:
    """A server whose workers end from the start says so, and ends with a failure."""
    server = impatient(tmp_path / "never", {}, settling=1e9).start()
    while not is_gone(server.pid):
        for worker in workers(server.pid):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)

    assert "its workers end as soon as they are started" in server.output()
    with pytest.raises(ProgramFailed, match="ended with 1 "):
        server.stop()


def test_killed_supervisor_leaves_no_workers(tmp_path: Path) -> None:
    """kill -9 of the first process alone ends the workers too, so that another can be started in its place."""
    server = Server(tmp_path).start()
    left = await_workers(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: all(map(is_gone, left)))
    server.kill()

    with server, server.client() as client:
        assert client.get("/v2/").status_code == 200


def test_hang_up_replaces_the_workers(two_workers: Server) -> None:
    """SIGHUP renews the workers one by one; what is under way meanwhile ends well."""
    before = set(workers(two_workers.pid))
    location = begin_upload(two_workers.port, fresh_name())
    with Wire(two_workers.port) as wire:
        wire.send(request(location, "Content-Length: 6", "Connection: close", method="PATCH", body=b"abc"))
        os.kill(two_workers.pid, signal.SIGHUP)
        wait_until(lambda: bool(set(workers(two_workers.pid)) - before))
        wire.send(b"def")
        assert statuses(wire.answers()) == [202]

    wait_until(lambda: len(workers(two_workers.pid)) == 2 and not before & set(workers(two_workers.pid)))
    assert stored(two_workers.port, location) == 6
