"""What Redis is told by one worker, with real servers and with some that lie: nothing that has gone stays there."""

import asyncio
import contextlib
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError  # noqa: A004  # as the library names it

from entrepot.config.document import Plain
from entrepot.config.redis import Redis as Settings
from entrepot.descriptors.redis_cache import RedisCache
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.server.redis_clients import connect
from tests.real.redis_server import RedisServer
from tests.servers import choose_port
from tests.unit.upstream.authorities import make_authority

NAME = RepositoryName.parse("team/app")
MEMBERS = f"repository::{NAME}::blobs"
PATIENCE = 60.0  # seconds; met only by what never comes


def described(content: bytes) -> Descriptor:
    digest = Digest.parse("sha256:" + hashlib.sha256(content).hexdigest())
    return Descriptor(media_type="application/octet-stream", digest=digest, size=len(content))


async def until(condition: Callable[[], object]) -> None:
    """Return once it is true."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[RedisCache]:
    cache = RedisCache(lambda: connect(settings), rest=0.05)
    task = asyncio.create_task(cache.run())
    try:
        yield cache
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


def is_told(redis: RedisServer, digest: Digest) -> bool:
    return redis.ask("SISMEMBER", MEMBERS, digest) == "1"


@pytest.mark.parametrize(
    ("fault", "cure"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("ACL", "SETUSER", "default", "-srem"), ("ACL", "SETUSER", "default", "+srem")),
    ],
    ids=["READONLY", "NOPERM"],
)
async def test_a_deletion_waits_until_redis_takes_it(
    redis: RedisServer, fault: tuple[str, ...], cure: tuple[str, ...]
) -> None:
    """F-123: else whoever reads it there would serve what has gone."""
    one = described(b"one")
    async with running(Settings(addr=redis.address)) as cache:
        cache.note(NAME, one)
        await until(lambda: is_told(redis, one.digest))
        redis.ask(*fault)
        await cache.forget(NAME, one.digest)
        assert is_told(redis, one.digest)
        redis.ask(*cure)
        await until(lambda: not is_told(redis, one.digest))


async def test_a_blob_that_comes_again_outlives_its_deletion(redis: RedisServer) -> None:
    """While Redis takes neither: what is true at last stands there."""
    one = described(b"one")
    async with running(Settings(addr=redis.address)) as cache:
        redis.ask("REPLICAOF", "127.0.0.1", "1")
        await cache.forget(NAME, one.digest)
        cache.note(NAME, one)
        redis.ask("REPLICAOF", "NO", "ONE")

        def told() -> bool:
            cache.note(NAME, one)
            return is_told(redis, one.digest)

        await until(told)
        await cache.forget(NAME, described(b"another").digest)
        assert is_told(redis, one.digest)


async def test_what_is_said_last_stands_last(redis: RedisServer) -> None:
    """A deletion does not overtake what a Redis that hangs has not taken yet; nobody waits for it meanwhile."""
    one, last = described(b"one"), described(b"last")
    async with running(Settings(addr=redis.address)) as cache:
        cache.note(NAME, last)
        await until(lambda: is_told(redis, last.digest))
        os.kill(redis.pid, signal.SIGSTOP)
        cache.note(NAME, one)
        await asyncio.sleep(0)  # it is being sent
        await cache.forget(NAME, one.digest)
        await cache.forget(NAME, last.digest)
        os.kill(redis.pid, signal.SIGCONT)
        await until(lambda: not is_told(redis, last.digest))
        assert not is_told(redis, one.digest)


async def test_a_deletion_is_told_once_more(redis: RedisServer) -> None:
    """What another worker had on its way to a Redis that hung is taken away again."""
    one, other = described(b"one"), described(b"other")
    cache = RedisCache(lambda: connect(Settings(addr=redis.address)), rest=0.05, again=0.3)
    running_cache = asyncio.create_task(cache.run())
    cache.note(NAME, one)
    await until(lambda: is_told(redis, one.digest))
    await cache.forget(NAME, one.digest)
    assert not is_told(redis, one.digest)
    async with running(Settings(addr=redis.address)) as late:
        late.note(NAME, one)
        late.note(NAME, other)
        await until(lambda: is_told(redis, other.digest))
    await until(lambda: not is_told(redis, one.digest))
    running_cache.cancel()
    await asyncio.wait({running_cache})


async def test_the_end_of_a_worker_takes_deletions_along(redis: RedisServer) -> None:
    """Also when it ends in the very moment."""
    one = described(b"one")
    async with running(Settings(addr=redis.address)) as cache:
        cache.note(NAME, one)
        await until(lambda: is_told(redis, one.digest))
        leaving = asyncio.create_task(cache.forget(NAME, one.digest))
        await asyncio.sleep(0)
    await leaving
    assert not is_told(redis, one.digest)


async def test_a_key_of_somebody_else_holds_up_nobody(redis: RedisServer) -> None:
    """F-125: it stays as it is, and the rest is told."""
    one, other = described(b"one"), RepositoryName.parse("team/other")
    redis.ask("SET", f"repository::{other}::blobs", "no set")
    async with running(Settings(addr=redis.address)) as cache:
        await cache.forget(other, one.digest)
        cache.note(other, one)
        cache.note(NAME, one)
        await until(lambda: is_told(redis, one.digest))
    assert redis.ask("GET", f"repository::{other}::blobs") == "no set"


async def test_tls_in_both_directions(tmp_path: Path) -> None:
    """The server's certificate is verified and ours is shown; whom nobody trusts is told nothing."""
    ours, foreign = make_authority(tmp_path, "ours"), make_authority(tmp_path, "foreign")
    server, client = ours.sign("server"), ours.sign("client")
    files = ("--tls-cert-file", str(server), "--tls-key-file", str(server), "--tls-ca-cert-file", str(ours.certificate))
    port = choose_port()
    one = described(b"one")

    def settings(authority: Path) -> Settings:
        tls = {"certificate": str(client), "key": str(client), "rootcas": [str(authority)]}
        return Settings.model_validate({"addr": f"127.0.0.1:{port}", "tls": tls})

    with RedisServer(tmp_path / "redis", "--tls-port", str(port), *files) as redis:
        mistrusting = connect(settings(foreign.certificate)).pipeline()
        mistrusting.sadd(MEMBERS, one.digest)
        with pytest.raises(ConnectionError, match="certificate verify failed"):
            await mistrusting.execute()
        async with running(settings(ours.certificate)) as cache:
            cache.note(NAME, one)
            await until(lambda: is_told(redis, one.digest))


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n",
        b"-OOM command not allowed\r\n" * 50,
        b"-NOAUTH Authentication required.\r\n" * 50,
        b"-MOVED 1 127.0.0.1:1\r\n" * 50,
        b"$-7\r\n*9999999\r\n",
        b"$20\r\nshort",
        b"",
    ],
    ids=["garbage", "OOM", "NOAUTH", "MOVED", "lengths", "short", "closed"],
)
async def test_whatever_it_answers_nobody_waits(answer: bytes) -> None:
    """F-123, F-124: a server that answers anything with this, and leaves; the deletion goes on to be tried."""
    asked = 0

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        with contextlib.suppress(OSError):
            await reader.read(1000)
            asked += 1
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(lie, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with running(Settings.model_validate({"addr": f"127.0.0.1:{port}", "maxretries": Plain("-1")})) as cache:
            await cache.forget(NAME, described(b"one").digest)
            cache.note(NAME, described(b"two"))
            await until(lambda: asked >= 3)
