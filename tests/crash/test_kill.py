"""`kill -9` after every single change that a request makes to the directory: nothing is lost, and nothing half done."""

import httpx
import pytest

from tests.crash.layout_check import check
from tests.crash.operations import OPERATIONS, Operation
from tests.crash.tracing import Steps, running, worker_of
from tests.repositories import Repository
from tests.servers import Server


@pytest.mark.parametrize("build", OPERATIONS)
def test_a_request_survives_a_kill_after_any_change(traced: Server, build: type[Operation]) -> None:
    """After each kill the files are sound, the state is a legal one, and a second try ends as the first should have."""
    changes = 0
    with traced.client() as client:
        while is_killed_after(changes + 1, traced, build(Repository(client))):
            changes += 1

    assert changes > 0


def is_killed_after(change: int, server: Server, operation: Operation) -> bool:
    """Kill the server after the `change`-th change of a request and look at what is left; False without so many."""
    killed, answer = perform_and_kill(change, server, operation)
    assert check(server.root) == []
    if killed:
        server.start()
    if answer is not None:
        assert answer.is_success, answer.text
        operation.check_done()
    if killed:
        operation.check_interrupted()
        operation.try_again()
        operation.check_done()
        assert check(server.root) == []
    return killed


def perform_and_kill(change: int, server: Server, operation: Operation) -> tuple[bool, httpx.Response | None]:
    """Perform the request; tell whether the server was killed, and return the answer if one came before."""
    steps = Steps(worker_of(server.pid), server.root)
    try:
        with running(lambda: attempt(operation)) as request:
            killed = steps.take(change, request)
            if killed:
                server.kill()
            return killed, request.result()
    finally:
        steps.close()


def attempt(operation: Operation) -> httpx.Response | None:
    """Perform the request once; None when the server died under it."""
    try:
        return operation.perform()
    except httpx.TransportError:
        return None
