"""What is mended is what was found: not what somebody has put there since."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.driver import Entry
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage import layout
from entrepot.storage.findings import Finding
from entrepot.storage.intact import Contents
from entrepot.storage.local import LocalRegistry
from entrepot.storage.mending import Mending
from entrepot.storage.soundness import Soundness
from entrepot.storage.validation import Rules
from entrepot.testing.images import image
from entrepot.testing.registry_contents import push, upload

APP = RepositoryName.parse("team/app")


class Failing(FilesystemDriver):
    """Cannot look at content, for the reason `error`."""

    error = 0

    async def stat(self, path: str) -> Entry:
        if self.error and path.endswith("/data"):
            raise OSError(self.error, os.strerror(self.error))
        return await super().stat(path)


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Failing]:
    """A driver on an empty directory."""
    made = Failing(str(tmp_path))
    yield made
    made.close()


def registry(files: Failing) -> LocalRegistry:
    return LocalRegistry(files, files, Rules())


async def found(files: Failing) -> list[Finding]:
    """What is wrong with its content."""
    return [one async for one in Contents(files, files, lambda _: None, 0.0).findings()]


async def wrong(files: Failing) -> list[Finding]:
    """What is wrong with its links."""
    return [one async for one in Soundness(files, files, lambda _: False, pause=0.0).findings()]


async def test_content_that_was_pushed_since_stays(files: Failing) -> None:
    """The damaged file was another one."""
    digest = (await upload(registry(files).writer(APP), b"content")).digest
    Path(files.local_path(layout.blob_data(digest))).write_bytes(b"damaged")
    [finding] = await found(files)
    await upload(registry(files).writer(APP), b"content")

    assert await Mending(files, files).mend(finding) == "changed meanwhile"
    assert await found(files) == []


async def test_a_link_that_was_mended_since_stays(files: Failing) -> None:
    """It is looked at again."""
    made = image(1)
    await push(registry(files).writer(APP), made, "v1")
    link = Path(files.local_path(layout.tag_current(APP, Tag.parse("v1"))))
    link.write_bytes(b"torn")
    [finding] = await wrong(files)
    link.write_bytes(made.digest.encode())

    assert await Mending(files, files).mend(finding) == "is sound by now"
    assert await wrong(files) == []


@pytest.mark.parametrize(("error", "is_put_aside"), [(errno.EIO, True), (errno.EACCES, False), (errno.EMFILE, False)])
async def test_what_we_may_not_read_is_not_put_aside(files: Failing, error: int, is_put_aside: bool) -> None:
    """It is told; only what the disk has lost is."""
    digest = (await upload(registry(files).writer(APP), b"content")).digest
    files.error = error
    [finding] = await found(files)
    files.error = 0

    assert finding.text.startswith(f"{digest}: cannot be read: ")
    assert (await Mending(files, files).mend(finding) is not None) is is_put_aside
    assert Path(files.local_path(layout.blob_data(Digest(digest)))).exists() is not is_put_aside
