"""A mirror with little room, in constant use while everything goes wrong: no wrong byte, nothing lost or left over.

`ENTREPOT_SOAK=10` makes it ten times as long; `ENTREPOT_SOAK_SEED=…` repeats one.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain, repeat
from pathlib import Path

import httpx
import pytest

from entrepot.testing.upstreams import ThreadedUpstream
from tests.crash.layout_check import check
from tests.mirror.serving import PATIENCE, wait_until
from tests.servers import Server
from tests.soak.trouble import TROUBLES, Trouble
from tests.soak.world import Clients, Refused, World, kept_bytes

LENGTH = int(os.environ.get("ENTREPOT_SOAK", "1"))
CLIENTS = 8
PULLS = 14
"""While each trouble lasts, by all clients together, and again when it is over."""
ROOM = 20 * 1024 * 1024


@pytest.fixture
def seed() -> int:
    """Printed where the test fails."""
    seed = int(os.environ.get("ENTREPOT_SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"ENTREPOT_SOAK_SEED={seed}")
    return seed


@pytest.fixture
def source() -> Iterator[ThreadedUpstream]:
    """The upstream, which can be stopped and started."""
    source = ThreadedUpstream()
    with source:
        yield source


@pytest.fixture
def world(tmp_path: Path, source: ThreadedUpstream, seed: int) -> Iterator[World]:
    """A mirror of two workers and its keeper in front of the upstream."""
    proxy = {"remoteurl": source.upstream.url, "maxsize": ROOM}
    with Server(tmp_path, {"proxy": proxy}, prefix=("env", "ENTREPOT_WORKERS=2")) as server:
        yield World(source.upstream, server, random.Random(seed))


def test_a_mirror_survives_whatever_happens_to_it(world: World, source: ThreadedUpstream, seed: int) -> None:
    """I1 to I12, as far as a client and the files can tell: see each step."""
    pull_once_each(world)
    with Clients(world, CLIENTS, seed) as clients:
        for name, trouble in _course(world.chance):
            with ExitStack() as ending:
                print(f"{name}: {clients.pulled} pulled, {clients.refused} refused, {kept_bytes(world)} bytes kept")
                ending.enter_context(trouble(world, source))
                clients.work(PULLS)
            clients.work(PULLS)
        assert clients.pulled > clients.refused

    pull_until_all_is_well(world)
    pull_once_each(world)
    until_settled(lambda: kept_bytes(world) <= ROOM)
    # More than its room went through it.
    assert sum(len(blob.content) for made in chain(*world.images.values()) for blob in made.blobs) > ROOM
    world.server.stop()
    assert check(world.server.root, mirror=True) == []
    world.server.start()
    pull_until_all_is_well(world)


def _course(chance: random.Random) -> Iterator[tuple[str, Trouble]]:
    """Each trouble as often, in any order."""
    for _ in range(LENGTH):
        yield from chance.sample(list(TROUBLES.items()), len(TROUBLES))
        # What gives the mirror something to do, and to get rid of.
        yield from repeat(("tag moved", TROUBLES["tag moved"]), 4)


def pull_once_each(world: World) -> None:
    """While all is calm, every client gets every byte of new images, and the upstream sends each blob once."""
    for name in world.names:
        world.move(name, "latest")
    with ThreadPoolExecutor(CLIENTS) as clients:
        for name in world.names:
            list(clients.map(_pull_calmly, repeat(world, CLIENTS), repeat(name, CLIENTS), range(CLIENTS)))
    for name in world.names:
        for blob in world.images[name, "latest"][-1].blobs:
            assert world.upstream.count("GET", str(blob.digest)) == 1
            assert world.upstream.bytes_sent(str(blob.digest)) == len(blob.content)


def _pull_calmly(world: World, name: str, number: int) -> None:
    with world.server.client() as client:
        world.pull(client, name, "latest", is_calm=True, chance=random.Random(number))


def pull_until_all_is_well(world: World) -> None:
    """Every tag is the upstream's newest again, whole, as soon as the mirror has seen that the trouble is over."""
    with world.server.client() as client:
        for name, tag, _ in world.newest():
            wait_until(lambda name=name, tag=tag: _is_well(world, client, name, tag))  # type: ignore[misc]  # defaults


def _is_well(world: World, client: httpx.Client, name: str, tag: str) -> bool:
    try:
        world.pull(client, name, tag, is_calm=True, chance=random.Random(0))
    except (Refused, AssertionError):
        time.sleep(0.2)
        return False
    return True


def until_settled(condition: Callable[[], bool]) -> None:
    """As wait_until, for what takes the keeper several passes."""
    deadline = time.monotonic() + 2 * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.2)
