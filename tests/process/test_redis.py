"""The descriptor cache in Redis: what others read there is right, and Redis itself can do no harm."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from entrepot.testing.images import image
from tests.mirror.serving import wait_until
from tests.real.docker_registry import DockerRegistry
from tests.real.redis_server import RedisServer, cluster, join
from tests.repositories import Repository
from tests.servers import Server

CACHED = {"cache": {"blobdescriptor": "redis"}, "delete": {"enabled": True}}


def settings(**redis: Any) -> dict[str, Any]:
    return {"storage": CACHED, "redis": redis}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", password="planted-secret") as running:
        yield running


def is_told(redis: RedisServer, name: str, digest: str) -> bool:
    return redis.ask("SISMEMBER", f"repository::{name}::blobs", digest) == "1"


def test_what_is_pushed_and_deleted_is_told(tmp_path: Path, redis: RedisServer) -> None:
    """Under Distribution's keys, with its fields."""
    with Server(tmp_path, settings(addr=redis.address, password=redis.password)) as server, server.client() as client:
        repository = Repository(client)
        digest = repository.push_blob(b"content")
        wait_until(lambda: is_told(redis, repository.name, digest))
        fields = redis.ask("HGETALL", f"blobs::{digest}").split()
        assert dict(zip(fields[::2], fields[1::2], strict=True)) == {
            "digest": digest,
            "size": "7",
            "mediatype": "application/octet-stream",
        }
        assert redis.ask("HGET", f"repository::{repository.name}::blobs::{digest}", "mediatype")

        assert repository.delete(f"blobs/{digest}").status_code == 202
        wait_until(lambda: not is_told(redis, repository.name, digest))
        assert redis.ask("EXISTS", f"blobs::{digest}", f"repository::{repository.name}::blobs::{digest}") == "0"
        assert repository.head(f"blobs/{digest}").status_code == 404
        assert "planted" not in server.output()


def test_distribution_reads_what_is_told(tmp_path: Path, redis: RedisServer) -> None:
    """A docker-registry on the same volume and Redis serves what was pushed here, and not what was deleted here."""
    with Server(tmp_path, settings(addr=redis.address, password=redis.password)) as server:
        more = {
            "storage": {"cache": {"blobdescriptor": "redis"}},
            "redis": {"addr": redis.address, "password": redis.password},
        }
        debian = DockerRegistry(server.root, more=more)
        with debian, server.client() as client:
            repository = Repository(client)
            digest = repository.push_blob(b"content")
            wait_until(lambda: is_told(redis, repository.name, digest))
            with httpx.Client(base_url=debian.url) as other:
                theirs = Repository(other, repository.name)
                assert theirs.get(f"blobs/{digest}").content == b"content"
                repository.delete(f"blobs/{digest}")
                wait_until(lambda: not is_told(redis, repository.name, digest))
                assert theirs.get(f"blobs/{digest}").status_code == 404


def test_a_manifest_that_is_deleted_is_told(tmp_path: Path, redis: RedisServer) -> None:
    """R6: since 3.0, a Distribution that has read one keeps it in Redis like a blob, and would go on to serve it."""
    with Server(tmp_path, settings(addr=redis.address, password=redis.password)) as server, server.client() as client:
        repository = Repository(client)
        made = image()
        digest = repository.push(made, "latest")
        # As it writes them.
        redis.ask("SADD", f"repository::{repository.name}::blobs", digest)
        redis.ask("HSET", f"repository::{repository.name}::blobs::{digest}", "mediatype", made.media_type)
        redis.ask("HSET", f"blobs::{digest}", "digest", digest, "size", "7", "mediatype", made.media_type)
        assert repository.delete(f"manifests/{digest}").status_code == 202
        wait_until(lambda: not is_told(redis, repository.name, digest))
        assert redis.ask("EXISTS", f"blobs::{digest}", f"repository::{repository.name}::blobs::{digest}") == "0"


def test_redis_grants_nothing_and_is_not_believed(tmp_path: Path, redis: RedisServer) -> None:
    """F-124, R6: whatever stands there, the store alone says what there is, how large, and for whom."""
    with Server(tmp_path, settings(addr=redis.address, password=redis.password)) as server, server.client() as client:
        repository, other = Repository(client), Repository(client)
        digest = repository.push_blob(b"content")
        wait_until(lambda: is_told(redis, repository.name, digest))
        redis.ask("SADD", f"repository::{other.name}::blobs", digest)
        redis.ask("HSET", f"blobs::{digest}", "size", "1000000", "digest", "sha256:" + "0" * 64)
        assert other.get(f"blobs/{digest}").status_code == 404
        assert repository.head(f"blobs/{digest}").headers["Content-Length"] == "7"

        redis.ask("FLUSHALL")
        redis.ask("SET", f"repository::{repository.name}::blobs", "no set")
        assert repository.get(f"blobs/{digest}").content == b"content"
        assert repository.push_blob(b"more")
        wait_until(lambda: "redis_failed" in server.output())


def test_redis_that_is_down_hung_or_refuses_costs_nothing(tmp_path: Path, redis: RedisServer) -> None:
    """F-123: pushes, pulls and deletions are answered; when it is back, it is told again."""
    wrong = settings(addr=redis.address, password="planted-too")
    with Server(tmp_path / "refused", wrong) as server, server.client() as client:
        repository = Repository(client)
        assert repository.get(f"blobs/{repository.push_blob(b'content')}").content == b"content"
        wait_until(lambda: "redis_failed" in server.output())
        assert "planted" not in server.output()
    with Server(tmp_path, settings(addr=redis.address, password=redis.password)) as server, server.client() as client:
        repository = Repository(client)
        os.kill(redis.pid, signal.SIGSTOP)
        digest = repository.push_blob(b"content")
        began = time.monotonic()
        assert repository.delete(f"blobs/{digest}").status_code == 202
        assert time.monotonic() - began < 2.5  # not the seconds that Redis may take for an answer
        assert repository.head(f"blobs/{digest}").status_code == 404
        os.kill(redis.pid, signal.SIGCONT)

        def told_again() -> bool:
            return is_told(redis, repository.name, repository.push_blob(os.urandom(10))) or is_told(
                redis, repository.name, repository.push_blob(b"again")
            )

        wait_until(told_again)


def test_it_starts_without_redis(tmp_path: Path) -> None:
    """Nobody listens, and later nobody answers."""
    # The kernel takes the connections; nobody takes them from it.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        for addr in ("127.0.0.1:1", address):
            with Server(tmp_path / addr.replace(":", "-"), settings(addr=addr)) as server, server.client() as client:
                repository = Repository(client)
                digest = repository.push_blob(b"content")
                assert repository.get(f"blobs/{digest}").content == b"content"
                assert repository.delete(f"blobs/{digest}").status_code == 202


def test_a_cluster_and_a_master_that_sentinels_name(tmp_path: Path) -> None:
    """By several addresses, and by `mastername`."""
    with ExitStack() as running:
        servers = [running.enter_context(one) for one in cluster(tmp_path / "cluster")]
        join(servers)
        wait_until(lambda: "cluster_state:ok" in servers[0].ask("CLUSTER", "INFO"))
        several = settings(addrs=[one.address for one in servers])
        with Server(tmp_path / "several", several) as server, server.client() as client:
            repository = Repository(client)
            digest = repository.push_blob(b"content")
            wait_until(lambda: any(is_told(one, repository.name, digest) for one in servers))

        master = running.enter_context(RedisServer(tmp_path / "master"))
        config = tmp_path / "sentinel.conf"
        config.write_text(f"sentinel monitor main 127.0.0.1 {master.port} 1\n")
        sentinel = running.enter_context(RedisServer(tmp_path / "sentinel", "--sentinel", program=[str(config)]))
        named = settings(addrs=[sentinel.address], mastername="main")
        with Server(tmp_path / "named", named) as server, server.client() as client:
            repository = Repository(client)
            digest = repository.push_blob(b"content")
            wait_until(lambda: is_told(master, repository.name, digest))
