"""Pushes, mounts, deletions and pulls while garbage is collected all the time: no client sees an unexpected answer.

Scaled by `ENTREPOT_SOAK` as the other one is.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from entrepot.oci.digest import Digest
from entrepot.storage import layout
from entrepot.testing.images import SampleBlob, SampleManifest, image, index, layer
from tests.crash.layout_check import check
from tests.mirror.serving import wait_until
from tests.process.keepers import await_keeper
from tests.repositories import Repository
from tests.servers import Server

SECONDS = 10.0 * float(os.environ.get("ENTREPOT_SOAK", "1"))
AGE = 5.0
SETTINGS = {
    "storage": {
        "delete": {"enabled": True},
        "maintenance": {
            "garbagecollect": {"enabled": True, "interval": "1s", "age": f"{AGE:g}s", "deleteuntagged": True}
        },
    }
}


class Client(threading.Thread):
    """One of several that work in repositories of their own with layers that they share."""

    def __init__(self, server: Server, name: str, others: list[str], layers: list[SampleBlob], end: float) -> None:
        super().__init__()
        self._server = server
        self._name = name
        self._others = others
        self._layers = layers
        self._end = end
        self._random = random.Random(name)
        self.tags: dict[str, SampleManifest] = {}
        self.failures: list[str] = []
        self.rounds = 0

    def run(self) -> None:
        try:
            while time.monotonic() < self._end:
                with self._server.client() as client:
                    self._round(Repository(client, self._name))
                self.rounds += 1
        except Exception as error:
            self.failures.append(repr(error))

    def _round(self, repository: Repository) -> None:
        step = self._random.random()
        if step < 0.55 or not self.tags:
            self._push(repository, f"t{self._random.randrange(4)}")
        elif step < 0.8:
            self._pull(repository, self._random.choice(sorted(self.tags)))
        else:
            tag = self._random.choice(sorted(self.tags))
            self._expect(repository.delete(f"manifests/{self.tags.pop(tag).digest}"), 202)
            # Other tags of the same manifest go with it.

    def _push(self, repository: Repository, tag: str) -> None:
        shared = self._random.sample(self._layers, 2)
        own = [layer({"unique": os.urandom(8)})]
        made = image([*shared, *own])
        for blob in made.blobs:
            self._bring(repository, blob)
        self._expect(repository.put_manifest(made.digest, made), 201)
        if self._random.random() < 0.4:
            # Untagged children, that a client looks for and finds.
            self._expect(repository.head(f"manifests/{made.digest}"), 200)
            made = index([made])
        self._expect(repository.put_manifest(tag, made), 201)
        self.tags[tag] = made

    def _bring(self, repository: Repository, blob: SampleBlob) -> None:
        found = repository.head(f"blobs/{blob.digest}")
        if found.status_code == 200:
            return
        self._expect(found, 404)
        mount = {"mount": blob.digest, "from": self._random.choice(self._others)}
        answer = repository.post("blobs/uploads/", params=mount)
        if answer.status_code != 201:
            self._expect(answer, 202)
            repository.push_blob(blob)

    def _pull(self, repository: Repository, tag: str) -> None:
        made = self.tags[tag]
        answer = repository.get(f"manifests/{tag}")
        self._expect(answer, 200)
        assert answer.content == made.content
        for one in made.in_push_order():
            self._expect(repository.get(f"manifests/{one.digest}"), 200)
            for blob in one.blobs:
                got = repository.get(f"blobs/{blob.digest}")
                self._expect(got, 200)
                assert got.content == blob.content

    def _expect(self, answer: httpx.Response, status: int) -> None:
        if answer.status_code != status:
            request = answer.request
            self.failures.append(f"{request.method} {request.url.path}: {answer.status_code} {answer.text[:300]}")


def needed(clients: list[Client]) -> set[str]:
    """The digests of all that somebody can still pull."""
    found: set[str] = set()
    for client in clients:
        for made in client.tags.values():
            for one in made.in_push_order():
                found |= {one.digest, *(blob.digest for blob in one.blobs)}
    return found


def stored(root: Path) -> Iterator[str]:
    for path in (root / layout.ROOT[1:] / "blobs").glob("*/*/*/data"):
        yield f"{path.parts[-4]}:{path.parts[-2]}"


def test_nobody_notices_a_collection(tmp_path: Path) -> None:
    """And in the end nothing is left but what is needed, though the collector was killed again and again."""
    names = [f"team/app{number}" for number in range(4)]
    layers = [layer({"shared": bytes([number]) * 3000}) for number in range(6)]
    with Server(tmp_path, SETTINGS, prefix=("env", "ENTREPOT_WORKERS=2")) as server:
        end = time.monotonic() + SECONDS
        clients = [Client(server, name, names, layers, end) for name in names]
        for client in clients:
            client.start()
        while time.monotonic() < end - 3:
            time.sleep(2.5)
            os.kill(await_keeper(server.pid), signal.SIGKILL)
        for client in clients:
            client.join()

        assert [failure for client in clients for failure in client.failures] == []
        assert all(client.rounds > 3 for client in clients)
        wait_until(lambda: set(stored(server.root)) == needed(clients))
        assert check(server.root) == []
        assert "duty_failed" not in server.output()
        with server.client() as http:
            for client in clients:
                for tag in client.tags:
                    client._pull(Repository(http, client._name), tag)
            assert [failure for client in clients for failure in client.failures] == []
    assert all(Digest.parse(digest) for digest in needed(clients))
