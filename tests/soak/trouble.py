"""What goes wrong in a soak: each trouble begins, lasts for some pulls, and is over."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from entrepot.testing.faults import Fault, Gate, Reply, cut, header, held, reset, status
from entrepot.testing.upstreams import ThreadedUpstream
from tests.soak.world import KIB, TAGS, World

Trouble = Callable[[World, ThreadedUpstream], AbstractContextManager[None]]

BLOBS = "/blobs/"


@contextmanager
def tag_moved(world: World, _: ThreadedUpstream) -> Iterator[None]:
    """A new image under an old name."""
    world.move(world.chance.choice(world.names), world.chance.choice(TAGS))
    yield


@contextmanager
def process_killed(world: World, _: ThreadedUpstream) -> Iterator[None]:
    """A worker, or the keeper."""
    world.move(world.chance.choice(world.names), world.chance.choice(TAGS))
    pid = world.server.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    if children:  # those killed before may not have been replaced yet
        os.kill(int(world.chance.choice(children)), signal.SIGKILL)
    yield


@contextmanager
def all_killed(world: World, _: ThreadedUpstream) -> Iterator[None]:
    """Every process at once, and a start on what they have left."""
    world.move(world.chance.choice(world.names), world.chance.choice(TAGS))
    world.server.kill()
    world.server.start()
    yield


@contextmanager
def upstream_down(_: World, upstream: ThreadedUpstream) -> Iterator[None]:
    """It refuses connections, and breaks off those there were."""
    upstream.stop()
    try:
        yield
    finally:
        upstream.start()


@contextmanager
def faulty(fault: Fault, path: str, world: World, _: ThreadedUpstream) -> Iterator[None]:
    """Each answer of some kind is wrong in the same way, when there is something new to be had."""
    world.move(world.chance.choice(world.names), world.chance.choice(TAGS))
    world.upstream.misbehave(fault, path=path)
    try:
        yield
    finally:
        world.upstream.behave()


@contextmanager
def stalled(world: World, _: ThreadedUpstream) -> Iterator[None]:
    """One blob stops in the middle, and comes at last."""
    gate = Gate()
    world.upstream.misbehave(held(50 * KIB, gate), path=BLOBS, times=1)
    world.move(world.chance.choice(world.names), world.chance.choice(TAGS))
    try:
        yield
    finally:
        gate.open()
        world.upstream.behave()


def spoiled(reply: Reply) -> Reply:
    """The last byte is another one."""
    return replace(reply, body=reply.body[:-1] + bytes([reply.body[-1] ^ 1])) if reply.body else reply


TROUBLES: dict[str, Trouble] = {
    "tag moved": tag_moved,
    "process killed": process_killed,
    "all killed": all_killed,
    "upstream down": upstream_down,
    "blob stalled": stalled,
    "blobs cut": partial(faulty, cut(60 * KIB), BLOBS),
    "blobs reset": partial(faulty, reset(10), BLOBS),
    "blobs spoiled": partial(faulty, spoiled, BLOBS),
    "manifests spoiled": partial(faulty, spoiled, "/manifests/sha256:"),
    "blobs too long": partial(faulty, header("Content-Length", "99999999"), BLOBS),
    "server errors": partial(faulty, status(503), ""),
    "too many requests": partial(faulty, status(429, Retry_After="1"), ""),
    "access lost": partial(faulty, status(401), "/manifests/"),
}
