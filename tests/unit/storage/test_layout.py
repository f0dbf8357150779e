"""Where things lie is Distribution's directory tree, name by name."""

import hashlib

import pytest

from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage import layout
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from entrepot.testing.images import artifact, image, index
from entrepot.testing.registry_contents import chunks, push

APP = RepositoryName.parse("library/app")
DEEP = RepositoryName.parse("registry.example.com/a_b/c__d/e-f")
HEX = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
HEX512 = hashlib.sha512(b"hello").hexdigest()
HELLO = Digest.of(b"hello")
HELLO512 = Digest.of(b"hello", "sha512")
V1 = Tag.parse("v1.0-rc_1")

ROOT = "/docker/registry/v2"
OF_APP = f"{ROOT}/repositories/library/app"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (layout.blob_data(HELLO), f"{ROOT}/blobs/sha256/2c/{HEX}/data"),
        (layout.blob_data(HELLO512), f"{ROOT}/blobs/sha512/9b/{HEX512}/data"),
        (layout.layer_link(APP, HELLO), f"{OF_APP}/_layers/sha256/{HEX}/link"),
        (layout.layer_link(APP, HELLO512), f"{OF_APP}/_layers/sha512/{HEX512}/link"),
        (layout.layers(APP), f"{OF_APP}/_layers"),
        (layout.manifests(APP), f"{OF_APP}/_manifests"),
        (layout.revision_link(APP, HELLO), f"{OF_APP}/_manifests/revisions/sha256/{HEX}/link"),
        (layout.revision_link(APP, HELLO512), f"{OF_APP}/_manifests/revisions/sha512/{HEX512}/link"),
        (layout.tags(APP), f"{OF_APP}/_manifests/tags"),
        (layout.tag(APP, V1), f"{OF_APP}/_manifests/tags/v1.0-rc_1"),
        (layout.tag_current(APP, V1), f"{OF_APP}/_manifests/tags/v1.0-rc_1/current/link"),
        (layout.tag_index(APP, V1, HELLO), f"{OF_APP}/_manifests/tags/v1.0-rc_1/index/sha256/{HEX}/link"),
        (
            layout.referrer_link(APP, HELLO512, HELLO),
            f"{OF_APP}/_manifests/referrers/sha512/{HEX512}/sha256/{HEX}/link",
        ),
        (layout.uploads(APP), f"{OF_APP}/_uploads"),
        (layout.upload(APP, "b5e5b2f0-7d0a-4b39"), f"{OF_APP}/_uploads/b5e5b2f0-7d0a-4b39"),
        (layout.layers(DEEP), f"{ROOT}/repositories/registry.example.com/a_b/c__d/e-f/_layers"),
    ],
)
def test_every_path_is_distributions(path: str, expected: str) -> None:
    """Both servers find each other's content."""
    assert path == expected


@pytest.mark.parametrize("digest", [HELLO, HELLO512])
def test_a_fill_grows_beside_its_place(digest: Digest) -> None:
    """So that it becomes the blob by a rename, and Distribution, which looks for `data`, passes over it."""
    directory, _, name = layout.blob_spool(digest).rpartition("/")

    assert directory == layout.blob_data(digest).removesuffix("/data")
    assert name not in ("data", "link", "startedat")


async def test_an_image_is_stored_in_exactly_these_files(registry: LocalRegistry) -> None:
    """Nothing but blobs and links is left of a push, and every link holds its digest without a newline."""
    repository = registry.writer(APP)
    pushed = image(1)
    signature = artifact("application/vnd.example.signature", subject=pushed)
    await push(repository, pushed, "latest")
    await push(repository, signature)

    subject, referrer = Digest.parse(pushed.digest), Digest.parse(signature.digest)
    blobs = {Digest.parse(blob.digest): blob.content for blob in (*pushed.blobs, *signature.blobs)}
    links = {
        layout.revision_link(APP, subject): subject,
        layout.revision_link(APP, referrer): referrer,
        layout.tag_current(APP, "latest"): subject,
        layout.tag_index(APP, Tag("latest"), subject): subject,
        layout.referrer_link(APP, subject, referrer): referrer,
        **{layout.layer_link(APP, digest): digest for digest in blobs},
    }
    contents = blobs | {subject: pushed.content, referrer: signature.content}
    expected = {path: digest.encode() for path, digest in links.items()}
    expected |= {layout.blob_data(digest): content for digest, content in contents.items()}
    assert await everything(registry, "/docker") == expected


async def test_an_upload_is_two_files_that_distribution_can_go_on_with(registry: LocalRegistry) -> None:
    """`startedat` with whole seconds in UTC, and `data`; no state of a hash."""
    session = await registry.writer(APP).start_upload("sha256")
    await session.append(chunks(b"hel", b"lo"), 0, None)

    found = await everything(registry, layout.uploads(APP))

    started_at = session.started_at.encode()
    assert found == {f"{session.path}/startedat": started_at, f"{session.path}/data": b"hello"}
    assert len(started_at) == len("2024-05-01T10:00:00Z")
    assert started_at.endswith(b"Z")
    await session.cancel()


async def test_a_repository_of_manifests_alone_has_its_layers_directory(files: FilesystemDriver) -> None:
    """Distribution 2.x lists a repository by it, and the collection of 3.x fails without it."""
    empty = index([])
    await push(LocalRegistry(files, files, Rules()).writer(APP), empty, "v1")

    assert (await files.stat(layout.layers(APP))).is_directory


async def everything(registry: LocalRegistry, path: str) -> dict[str, bytes]:
    """All files below a path."""
    found: dict[str, bytes] = {}
    for name in await registry.driver.list(path):
        below = f"{path}/{name}"
        if (await registry.driver.stat(below)).is_directory:
            found |= await everything(registry, below)
        else:
            found[below] = await registry.driver.get(below)
    return found
