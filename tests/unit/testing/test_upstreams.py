"""The test upstream itself: what it counts, how it breaks, and that it can be used from a thread."""

import asyncio
import http.client
import json
import socket

import pytest

from entrepot.testing import images
from entrepot.testing.demands import BearerDemand
from entrepot.testing.faults import Gate, cut, dripping, held, lying_length, raw, reset, slow_head, status
from entrepot.testing.upstreams import TestUpstream, ThreadedUpstream

PATH = "/v2/library/busybox"


async def _ask(upstream: TestUpstream, target: str, method: str = "GET", **headers: str) -> bytes:
    """What arrives at a plain socket until the upstream closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.origin.port)
    lines = [f"{method} {target} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_an_image_with_all_that_belongs_to_it() -> None:
    """Manifests, children and blobs of an index can be asked for; requests and bytes are counted."""
    index = images.index()
    async with TestUpstream() as upstream:
        upstream.add_image("library/busybox", "1", index)
        for manifest in index.in_push_order():
            assert manifest.content in await _ask(upstream, f"{PATH}/manifests/{manifest.digest}")
        for blob in index.all_blobs():
            assert blob.content in await _ask(upstream, f"{PATH}/blobs/{blob.digest}")
        head = await _ask(upstream, f"{PATH}/manifests/1", "HEAD")

        assert head.endswith(b"\r\n\r\n")
        assert index.digest.encode() in head
        assert upstream.count("GET", "/manifests/") == 3
        assert upstream.bytes_sent("/blobs/") == sum(len(blob.content) for blob in index.all_blobs())
        assert upstream.origin.connections == upstream.count()


async def test_ranges() -> None:
    """Parts of a blob are served, and what lies outside is refused with the size."""
    async with TestUpstream() as upstream:
        digest = upstream.add_blob("library/busybox", b"0123456789")
        part = await _ask(upstream, f"{PATH}/blobs/{digest}", Range="bytes=3-5")
        outside = await _ask(upstream, f"{PATH}/blobs/{digest}", Range="bytes=10-")

        assert part.startswith(b"HTTP/1.1 206 ")
        assert b"Content-Range: bytes 3-5/10\r\n" in part
        assert part.endswith(b"\r\n\r\n345")
        assert outside.startswith(b"HTTP/1.1 416 ")
        assert b"bytes */10" in outside


async def test_tokens() -> None:
    """A token opens the repository that it was asked for, no other, until it expires."""
    demand = BearerDemand()
    async with TestUpstream(demand) as upstream:
        upstream.add_image("library/busybox", "1", images.image())
        refused = await _ask(upstream, f"{PATH}/manifests/1")
        answer = await _ask(upstream, "/token?scope=repository:library/busybox:pull")
        token = json.loads(answer.partition(b"\r\n\r\n")[2])["token"]
        header = {"Authorization": f"Bearer {token}"}

        assert b"WWW-Authenticate: Bearer realm=" in refused
        assert (await _ask(upstream, f"{PATH}/manifests/1", **header)).startswith(b"HTTP/1.1 200 ")
        assert (await _ask(upstream, "/v2/library/alpine/manifests/1", **header)).startswith(b"HTTP/1.1 401 ")
        demand.expire()
        assert (await _ask(upstream, f"{PATH}/manifests/1", **header)).startswith(b"HTTP/1.1 401 ")


async def test_the_second_origin_refuses_authorization() -> None:
    """A signed URL is good as it is, and refused with credentials beside it or without its signature."""
    async with TestUpstream() as upstream:
        digest = upstream.add_blob("library/busybox", b"content")
        upstream.redirects_blobs = True
        answer = await _ask(upstream, f"{PATH}/blobs/{digest}")
        url = answer.partition(b"Location: ")[2].partition(b"\r\n")[0].decode()
        target = url.removeprefix(upstream.cdn.url)
        statuses = []
        for asked, headers in ((target, {}), (target, {"Authorization": "Bearer x"}), (target.partition("?")[0], {})):
            connection = http.client.HTTPConnection("127.0.0.1", upstream.cdn.port, timeout=30)
            await asyncio.to_thread(connection.request, "GET", asked, headers=headers)
            statuses.append((await asyncio.to_thread(connection.getresponse)).status)
            connection.close()

        assert statuses == [200, 400, 403]


async def test_faults_strike_where_and_as_often_as_told() -> None:
    """A fault strikes the paths and methods it is for, so many times, until it is forgotten."""
    async with TestUpstream() as upstream:
        rule = upstream.misbehave(status(503), path="/v2/", method="GET", times=2)
        answers = [(await _ask(upstream, "/v2/"))[9:12] for _ in range(3)]
        upstream.misbehave(status(500))
        answers.append((await _ask(upstream, "/v2/"))[9:12])
        upstream.behave()
        answers.append((await _ask(upstream, "/v2/"))[9:12])

        assert answers == [b"503", b"503", b"200", b"500", b"200"]
        assert rule.met == 2


@pytest.mark.parametrize("at", [0, 1, 5, 9, 10])
async def test_cut(at: int) -> None:
    """A cut connection brings exactly so many bytes of the body."""
    async with TestUpstream() as upstream:
        digest = upstream.add_blob("library/busybox", b"0123456789")
        upstream.misbehave(cut(at))
        answer = await _ask(upstream, f"{PATH}/blobs/{digest}")

        assert answer.partition(b"\r\n\r\n")[2] == b"0123456789"[:at]
        assert b"Content-Length: 10\r\n" in answer


async def test_cut_before_the_head() -> None:
    """A connection can end without an answer."""
    async with TestUpstream() as upstream:
        upstream.misbehave(cut())

        assert await _ask(upstream, "/v2/") == b""


@pytest.mark.parametrize("at", [-1, 0, 5])
async def test_reset(at: int) -> None:
    """A reset is a reset, not an end."""
    async with TestUpstream() as upstream:
        digest = upstream.add_blob("library/busybox", b"0123456789")
        upstream.misbehave(reset(at))
        with pytest.raises(ConnectionResetError):
            await _ask(upstream, f"{PATH}/blobs/{digest}")


async def test_held_until_let_go() -> None:
    """A held answer stops where it was told to, and goes on when its gate opens."""
    gate = Gate()
    async with TestUpstream() as upstream:
        digest = upstream.add_blob("library/busybox", b"0123456789")
        upstream.misbehave(held(4, gate))
        waiting = asyncio.ensure_future(_ask(upstream, f"{PATH}/blobs/{digest}"))
        await gate.reached()
        assert upstream.bytes_sent() == 4
        gate.open()

        assert (await waiting).endswith(b"\r\n\r\n0123456789")


async def test_slow_and_lying_answers_arrive_as_told() -> None:
    """Drips and slow heads bring the same bytes; a lie and raw bytes arrive unchanged."""
    async with TestUpstream() as upstream:
        digest = upstream.add_blob("library/busybox", b"0123456789")
        plain = await _ask(upstream, f"{PATH}/blobs/{digest}")
        for fault, expected in (
            (dripping(3, 0.001), plain),
            (slow_head(0.0001), plain),
            (lying_length(99), plain.replace(b"Content-Length: 10", b"Content-Length: 99")),
            (raw(b"\x00\xffjunk"), b"\x00\xffjunk"),
        ):
            upstream.behave()
            upstream.misbehave(fault)
            answer = await _ask(upstream, f"{PATH}/blobs/{digest}")

            assert sorted(answer.split(b"\r\n")) == sorted(expected.split(b"\r\n"))


async def test_stopped_and_started_again() -> None:
    """A stopped upstream refuses connections; started again it has the same port and content."""
    async with TestUpstream() as upstream:
        upstream.add_image("library/busybox", "1", images.image())
        port = upstream.origin.port
        await upstream.stop()
        with pytest.raises(ConnectionRefusedError):
            await _ask(upstream, "/v2/")
        await upstream.start()

        assert upstream.origin.port == port
        assert (await _ask(upstream, f"{PATH}/manifests/1")).startswith(b"HTTP/1.1 200 ")


def test_from_a_thread() -> None:
    """Tests without an event loop use it, its gates and its faults all the same, and find it down and up again."""
    threaded = ThreadedUpstream()
    with threaded as upstream:
        digest = upstream.add_blob("library/busybox", b"content")
        gate = Gate()
        upstream.misbehave(held(0, gate), times=1)
        connection = http.client.HTTPConnection("127.0.0.1", upstream.origin.port, timeout=30)
        connection.request("GET", f"{PATH}/blobs/{digest}")
        gate.wait_reached(30)
        gate.open()

        assert connection.getresponse().read() == b"content"
        connection.close()
        threaded.stop()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", upstream.origin.port)) != 0
        threaded.start()
        connection.request("HEAD", f"{PATH}/blobs/{digest}")
        assert connection.getresponse().getheader("Content-Length") == "7"
        connection.close()
