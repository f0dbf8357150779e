"""A mirror of two worker processes in front of a misbehaving upstream, and clients with connections of their own."""

import http.client
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import httpx

from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.testing.images import SampleManifest
from entrepot.testing.upstreams import TestUpstream
from tests.repositories import Repository, fresh_name
from tests.servers import Server

MIB = 1 << 20
PATIENCE = 60.0  # seconds; met only by what never comes


class Mirror:
    """The server, its upstream, and a repository that nobody has used."""

    def __init__(self, server: Server, upstream: TestUpstream) -> None:
        self.server = server
        self.upstream = upstream
        self.name = fresh_name()

    def add_blob(self, size: int) -> tuple[Digest, bytes]:
        """A new blob that the upstream has."""
        content = os.urandom(size)
        return self.upstream.add_blob(self.name, content), content

    def add_image(self, tag: str, made: SampleManifest) -> None:
        """An image that the upstream has."""
        self.upstream.add_image(self.name, tag, made)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """An answer to a new connection, with its whole body."""
        with self.server.client() as client:
            return Repository(client, self.name).get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def begin(self, digest: Digest) -> http.client.HTTPResponse:
        """An answer of which only the head was read, on a connection of its own; closing it closes that."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        connection.request("GET", f"/v2/{self.name}/blobs/{digest}", headers={"Connection": "close"})
        return connection.getresponse()

    def data(self, digest: Digest) -> Path:
        """Where a blob is kept."""
        return self.server.root / layout.blob_data(digest)[1:]

    def is_kept(self, digest: Digest) -> bool:
        """Whether it is a hit now, which needs no upstream."""
        link = self.server.root / layout.layer_link(RepositoryName(self.name), digest)[1:]
        return self.data(digest).exists() and link.exists()

    def spool(self, digest: Digest) -> Path:
        """Where it grows until then."""
        return self.server.root / layout.blob_spool(digest)[1:]


def started(directory: Path, upstream: TestUpstream, prefix: Sequence[str] = ()) -> Server:
    """A mirror of two workers, however many cores there are."""
    settings = {"proxy": {"remoteurl": upstream.url}}
    return Server(directory, settings, prefix=(*prefix, "env", "ENTREPOT_WORKERS=2"))


def wait_until(condition: Callable[[], object]) -> None:
    """Return once it is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def read_until_cut(answer: http.client.HTTPResponse) -> bytes:
    """What comes before the connection breaks, or the body ends."""
    got = b""
    with answer, suppress(http.client.IncompleteRead, ConnectionError):
        while piece := answer.read1(MIB):
            got += piece
    return got
