"""Performs an operation, kills the server after one of the changes that it makes, and judges what is left."""

import httpx

from tests.crash.layout_check import check
from tests.crash.operations import Operation
from tests.crash.tracing import Steps, running, worker_of
from tests.servers import Server


def is_killed_after(change: int, server: Server, operation: Operation) -> bool:
    """Kill the server after the `change`-th change of a request and look at what is left; False without so many."""
    mirror = "proxy" in server.settings
    killed, answer = perform_and_kill(change, server, operation)
    assert check(server.root, mirror=mirror) == []
    if killed:
        server.start()
    if answer is not None:
        assert answer.is_success, answer.text
        operation.check_done()
    if killed:
        operation.check_interrupted()
        operation.try_again()
        operation.check_done()
        assert check(server.root, mirror=mirror) == []
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
