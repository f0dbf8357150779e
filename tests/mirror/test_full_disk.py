"""A disk that is full or broken: manifests are pulled all the same, and nothing half is kept."""

import errno
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.driver import Entry, NoSpace
from entrepot.oci.digest import Digest
from entrepot.testing.images import artifact, image
from entrepot.testing.upstreams import TestUpstream
from tests.crash.layout_check import check
from tests.mirror.conftest import NAME, Worker
from tests.unit.storage.failing import Failing, Fault


def full() -> Exception:
    """No room."""
    return NoSpace("no space left on device")


def broken() -> Exception:
    """A disk that fails."""
    return OSError(errno.EIO, "input/output error")


class WriteFaults(Failing):
    """Fails no call that reads: the disk still gives what is on it."""

    async def get(self, path: str) -> bytes:
        return await self._inner.get(path)

    async def stat(self, path: str) -> Entry:
        return await self._inner.stat(path)


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("error", [full, broken])
async def test_a_manifest_is_pulled_though_it_can_not_be_kept(
    upstream: TestUpstream, worker: Worker, root: Path, error: Callable[[], Exception], lasts: bool
) -> None:
    """Whatever write fails; the tag is not set without its manifest, and when there is room again all is kept."""
    subject = image(1)
    pulled: dict[str, bytes] = {}
    for number in itertools.count(1):
        tag = f"v{number}"
        pushed = artifact("application/vnd.example.sbom", subject=subject)
        pulled[tag] = pushed.content
        upstream.add_image(NAME, tag, pushed)
        fault = Fault(error, number, lasts=lasts, late=False)
        worker.use(WriteFaults(worker.files, fault))

        assert await worker.pull(tag) == pushed.content

        fault.heal()
        assert [problem for problem in check(root) if "lacks" not in problem] == []
        assert await worker.pull(tag) == pushed.content
        if not fault.struck:
            break

    assert len(pulled) > 5
    await upstream.stop()
    for tag, content in pulled.items():
        assert await worker.pull(tag) == content


async def test_a_store_that_takes_nothing_is_a_mirror_of_manifests(upstream: TestUpstream, worker: Worker) -> None:
    """Every pull goes to the upstream, and succeeds."""
    pushed = image(1)
    upstream.add_image(NAME, "latest", pushed)
    worker.use(WriteFaults(worker.files, Fault(full, 1, lasts=True, late=False)))

    for _ in range(3):
        assert await worker.pull("latest") == pushed.content
        stored = await worker.registry.reader(NAME).manifest(Digest.parse(pushed.digest))
        assert stored.content == pushed.content
