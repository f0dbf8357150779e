"""Each kind of check, against real files and sockets."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from entrepot.driver import Entry, PathNotFound
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.memory import MemoryDriver
from entrepot.health.checks import Check, Failing, file_check, http_check, storage_check, tcp_check
from entrepot.testing.faults import Reply
from entrepot.testing.origins import Origin, Seen


async def failure(check: Check) -> str:
    """In what words it fails; "" where it passes."""
    try:
        await check()
    except Failing as error:
        return str(error)
    return ""


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    """Answers 204 where the path says so, and tells of the headers it got."""

    def answer(seen: Seen) -> Reply:
        return Reply(204 if seen.path == "/204" else 200, (), b"")

    origin = Origin(answer)
    await origin.start()
    yield origin
    await origin.stop()


async def test_a_file_that_is_there_is_a_failure(tmp_path: Path) -> None:
    """So an operator takes a node out of service."""
    path = tmp_path / "down"
    assert await failure(file_check(str(path))) == ""
    path.touch()
    assert await failure(file_check(str(path))) == "file exists"


async def test_a_port_that_takes_connections_is_well(origin: Origin) -> None:
    """And one that does not is told by its address."""
    assert await failure(tcp_check(f"127.0.0.1:{origin.port}", 0)) == ""
    await origin.stop()
    failed = await failure(tcp_check(f"127.0.0.1:{origin.port}", 1))
    assert failed.startswith(f"127.0.0.1:{origin.port}: connection failed: ")


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/", 200, ""),
        ("/204", 204, ""),
        ("/204", 200, "downstream service returned unexpected status: 204"),
        ("/", 503, "downstream service returned unexpected status: 200"),
    ],
)
async def test_an_answer_must_have_its_status(origin: Origin, path: str, status: int, expected: str) -> None:
    """To a HEAD with the headers that are wanted."""
    uri = f"http://127.0.0.1:{origin.port}{path}"
    failed = await failure(http_check(uri, [("X-One", "1"), ("X-One", "2")], status, 30))
    assert failed == (f"{uri}: {expected}" if expected else "")
    assert bytes(origin.received).startswith(b"HEAD ")
    assert bytes(origin.received).lower().count(b"x-one:") == 2


async def test_a_service_that_is_not_there_fails_its_check(origin: Origin) -> None:
    """In words that name it."""
    await origin.stop()
    uri = f"http://127.0.0.1:{origin.port}/"
    assert (await failure(http_check(uri, [], 200, 30))).startswith(f"error while checking: {uri}: ")


class Broken(MemoryDriver):
    """A driver that fails as it is told."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def stat(self, path: str) -> Entry:
        raise self._error


@pytest.mark.parametrize(
    ("error", "expected"), [(PathNotFound("/"), ""), (OSError("the disk is gone"), "the disk is gone")]
)
async def test_a_driver_that_fails_is_a_failure(error: Exception, expected: str) -> None:
    """Where nothing was stored yet, all is well."""
    assert await failure(storage_check(Broken(error))) == expected


async def test_a_directory_is_well(tmp_path: Path) -> None:
    """Also while others use it."""
    driver = FilesystemDriver(str(tmp_path))
    results: Sequence[str] = await asyncio.gather(*(failure(storage_check(driver)) for _ in range(4)))
    driver.close()
    assert results == [""] * 4
