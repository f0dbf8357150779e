"""`kill -9` of all processes under eight pushing clients: whatever was answered with 201 is there afterwards."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from entrepot.testing.images import SampleBlob, SampleManifest, image
from tests.crash.layout_check import check
from tests.crash.seen import check_blob, check_manifest
from tests.repositories import Repository, fresh_name
from tests.servers import Server

PUSHERS = 8
# Answers that are waited for before each kill: no clock decides when it comes.
ANSWERS = (3, 50, 111, 240)
SIZES = (100, 70_000, 1_200_000)


class Pusher:
    """A client that pushes image after image under one tag and keeps what was answered with 201."""

    def __init__(self, server: Server, answered: threading.Semaphore) -> None:
        self._server = server
        self._answered = answered
        self._name = fresh_name()
        self._blobs: list[SampleBlob] = []
        self._images: list[SampleManifest] = []
        self._sent: SampleManifest | None = None

    def push(self) -> None:
        """Push until the server is gone."""
        with self._server.client() as client:
            try:
                while True:
                    self._push_image(Repository(client, self._name))
            except httpx.TransportError:
                return

    def check(self) -> None:
        """Assert that everything answered with 201 is there, and that the tag names the last image or the next one."""
        with self._server.client() as client:
            repository = Repository(client, self._name)
            for blob in self._blobs:
                check_blob(repository, blob, present=True)
            for one in self._images:
                check_manifest(repository, one.digest, [one])
            if self._images:
                check_manifest(repository, "latest", [self._images[-1], *([self._sent] if self._sent else [])])

    def _push_image(self, repository: Repository) -> None:
        layers = [SampleBlob(os.urandom(size), "application/vnd.oci.image.layer.v1.tar") for size in SIZES]
        made = image(layers)
        for blob in made.blobs:
            repository.push_blob(blob)
            self._blobs.append(blob)
            self._answered.release()
        self._sent = made
        answer = repository.put_manifest("latest", made)
        assert answer.status_code == 201, answer.text
        self._images.append(made)
        self._answered.release()


@pytest.mark.parametrize("answers", ANSWERS)
def test_what_was_answered_survives_a_kill_under_load(tmp_path: Path, answers: int) -> None:
    """Blobs and manifests of all clients are served byte for byte by a server that is started on what is left."""
    server = Server(tmp_path).start()
    answered = threading.Semaphore(0)
    pushers = [Pusher(server, answered) for _ in range(PUSHERS)]
    with ThreadPoolExecutor(PUSHERS) as threads:
        pushing = [threads.submit(pusher.push) for pusher in pushers]
        for _ in range(answers):
            assert answered.acquire(timeout=60)
        server.kill()
    for one in pushing:
        one.result()

    assert check(server.root) == []
    with server:
        for pusher in pushers:
            pusher.check()
