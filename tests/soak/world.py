"""What a soak is about: images whose tags move at an upstream, a mirror with little room, and clients that judge it."""

import os
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import httpx

from entrepot.oci.digest import Digest
from entrepot.testing.images import SampleManifest, image, random_blob
from entrepot.testing.upstreams import TestUpstream
from tests.repositories import Repository
from tests.servers import Server

KIB = 1024
TAGS = ("latest", "edge")
PASSING = frozenset({401, 429, 500, 502, 503, 504})
"""What a client may be told while something is wrong; never that there is no such thing."""


class Refused(Exception):
    """The mirror said that it cannot right now, or broke off: nothing wrong was served."""


@dataclass
class World:
    """Images by repository and tag, the newest last; may be used by several threads."""

    upstream: TestUpstream
    server: Server
    chance: random.Random
    names: tuple[str, ...] = ("library/one", "library/two", "team/three")
    images: dict[tuple[str, str], list[SampleManifest]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.names:
            for tag in TAGS:
                self.move(name, tag)

    def move(self, name: str, tag: str) -> None:
        """Point a tag at a new image: blobs with and without a held-back end, and one that needs several writes."""
        sizes = (200, 40 * KIB, self.chance.randrange(100 * KIB, 700 * KIB), 1100 * KIB)
        made = image([random_blob(size) for size in sizes])
        # Known before it can be served.
        self.images.setdefault((name, tag), []).append(made)
        self.upstream.add_image(name, tag, made)

    def pull(self, client: httpx.Client, name: str, tag: str, *, is_calm: bool, chance: random.Random) -> None:
        """Pull an image as clients do, and judge each byte; where all is calm, it is the tag's newest."""
        repository = Repository(client, name)
        answer = self._get(repository, f"manifests/{tag}")
        known = self.images[name, tag][-1:] if is_calm else self.images[name, tag]
        made = next((made for made in known if made.content == answer.content), None)
        assert made is not None, f"{name}:{tag} never was {Digest.of(answer.content)}"
        assert answer.headers["Docker-Content-Digest"] == made.digest
        for blob in made.blobs:
            path, begin = f"blobs/{blob.digest}", chance.choice((0, 0, len(blob.content) // 2))
            headers = {"Range": f"bytes={begin}-"} if begin else {}
            answer = self._get(repository, path, headers)
            assert (answer.status_code, answer.content) == (206 if begin else 200, blob.content[begin:]), path

    def _get(self, repository: Repository, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        try:
            answer = repository.get(path, headers=headers or {})
        except httpx.TransportError as error:
            raise Refused(repr(error)) from error
        if answer.status_code in PASSING:
            raise Refused(answer.text)
        assert answer.status_code in (200, 206), f"{path}: {answer.status_code} {answer.text}"
        return answer

    def newest(self) -> Iterator[tuple[str, str, SampleManifest]]:
        """All tags and what they name now."""
        for (name, tag), made in self.images.items():
            yield name, tag, made[-1]


class Clients:
    """So many threads that pull one random image after the other until they are told to end."""

    def __init__(self, world: World, count: int, seed: int) -> None:
        self.pulled = 0
        self.refused = 0
        self._world = world
        self._ending = threading.Event()
        self._changed = threading.Condition()
        self._failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed}-{number}"),)) for number in range(count)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()
        self.judge()

    def work(self, pulls: int) -> None:
        """Return when so many more pulls have come to an end, well or refused; raises what a client objects to."""
        with self._changed:
            goal = self.pulled + self.refused + pulls
            while self.pulled + self.refused < goal and not self._failures:
                assert self._changed.wait(120), "nobody got anything in two minutes"
        self.judge()

    def judge(self) -> None:
        """Raise what a client has objected to."""
        for failure in self._failures:
            raise failure

    def _run(self, chance: random.Random) -> None:
        try:
            while not self._ending.is_set():
                self._pull(chance)
        except BaseException as error:
            with self._changed:
                self._failures.append(error)
                self._changed.notify_all()

    def _pull(self, chance: random.Random) -> None:
        name, tag = chance.choice(self._world.names), chance.choice(TAGS)
        try:
            with self._world.server.client() as client:
                self._world.pull(client, name, tag, is_calm=False, chance=chance)
        except Refused:
            is_pulled = False
            self._ending.wait(0.02)
        else:
            is_pulled = True
        with self._changed:
            self.pulled += is_pulled
            self.refused += not is_pulled
            self._changed.notify_all()


def kept_bytes(world: World) -> int:
    """The size of all content that the mirror keeps."""
    blobs = world.server.root / "docker/registry/v2/blobs"
    sizes = (_size(os.path.join(directory, "data")) for directory, _, files in os.walk(blobs) if "data" in files)
    return sum(sizes)


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:  # it leaves at this moment
        return 0
