"""`entrepot fsck`: says all that is wrong with a store and nothing else, also while it is served, and mends it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage import layout
from entrepot.testing.images import artifact, image, index
from entrepot.testing.upstreams import ThreadedUpstream
from tests.crash.layout_check import check
from tests.mirror.serving import wait_until
from tests.process.command import Ended, entrepot, write_config
from tests.repositories import Repository
from tests.servers import Server

NAME = RepositoryName.parse("team/app")


class Store:
    """A served registry with an index of two images, a referrer, and an image that only a digest names."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.root = server.root
        self.index = index([image(2), image(1)])
        self.referrer = artifact("application/vnd.example.signature", subject=self.index)
        self.lone = image(1)
        with server.client() as client:
            repository = Repository(client, NAME)
            push_all(repository, self)

    def path(self, place: str) -> Path:
        """A path of the layout on this disk."""
        return self.root / place[1:]

    def content(self, digest: str) -> Path:
        return self.path(layout.blob_data(Digest.parse(digest)))

    def fsck(self, *options: str) -> Ended:
        return entrepot("fsck", *options, str(self.server.directory / "config.yml"))


def push_all(repository: Repository, store: Store) -> None:
    """Everything, whether or not it is there."""
    repository.push(store.index, "v1")
    repository.push(store.referrer)
    repository.push(store.lone)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Under a server that runs all the time."""
    with Server(tmp_path, {"storage": {"delete": {"enabled": True}}}) as server:
        yield Store(server)


def flip(store: Store) -> str:
    """A bit of a layer."""
    digest = store.lone.blobs[0].digest
    path = store.content(digest)
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    return digest


def cut(store: Store) -> str:
    """The end of a manifest."""
    digest = store.lone.digest
    os.truncate(store.content(digest), 10)
    return digest


def pipe(store: Store) -> str:
    """Content that is no file."""
    digest = store.lone.blobs[0].digest
    store.content(digest).unlink()
    os.mkfifo(store.content(digest))
    return digest


def lose(store: Store) -> str:
    """A layer."""
    digest = store.lone.blobs[0].digest
    shutil.rmtree(store.content(digest).parent)
    return digest


def garble(store: Store) -> str:
    """A link to a layer."""
    digest = store.lone.blobs[0].digest
    store.path(layout.layer_link(NAME, Digest.parse(digest))).write_bytes(b"sha256:torn")
    return digest


def unlink(store: Store) -> str:
    """The link to a manifest that a tag names."""
    store.path(layout.revision_link(NAME, Digest.parse(store.index.digest))).unlink()
    return store.index.digest


def mistag(store: Store) -> str:
    """A tag."""
    store.path(layout.tag_current(NAME, Tag("v1"))).write_bytes(b"\0" * 71)
    return "tag v1"


def orphan(store: Store) -> str:
    """A referrer's manifest."""
    store.path(layout.revision_link(NAME, Digest.parse(store.referrer.digest))).unlink()
    return store.referrer.digest


DAMAGES = [flip, cut, pipe, lose, garble, unlink, mistag, orphan]


def test_a_sound_store(store: Store) -> None:
    """Nothing is said of it, and nothing is changed."""
    ended = store.fsck()

    assert (ended.status, ended.out, ended.err) == (0, "", "the store is sound\n")
    assert check(store.root) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_is_named_and_mended(store: Store, damage: Callable[[Store], str]) -> None:
    """In full; after a repair the files are sound, what was damaged is unknown, and a push heals it."""
    named = damage(store)
    found = store.fsck()
    assert found.status == 1
    assert named in found.out
    assert all(named in line or "team/app" in line for line in found.out.splitlines())

    repaired = store.fsck("--repair")
    assert repaired.status == 1
    assert named in repaired.out
    assert [line for line in check(store.root) if "lacks" not in line] == []

    with store.server.client() as client:
        repository = Repository(client, NAME)
        if damage in (flip, pipe, lose):
            assert repository.get(f"blobs/{named}").status_code == 404
        push_all(repository, store)
        assert repository.get(f"blobs/{store.lone.blobs[0].digest}").content == store.lone.blobs[0].content
    assert store.fsck().status == 0
    assert check(store.root) == []


def test_an_ordinary_deletion_leaves_a_sound_store(store: Store) -> None:
    """Of a referrer, too, whose directory stays."""
    with store.server.client() as client:
        assert Repository(client, NAME).delete(f"manifests/{store.referrer.digest}").status_code == 202

    assert store.fsck().status == 0


def elsewhere(store: Store, path: Path) -> None:
    """Put it somewhere else, with a symbolic link in its place."""
    target = store.server.directory / "elsewhere"
    shutil.move(path, target)
    path.symlink_to(target)


def content_elsewhere(store: Store) -> None:
    elsewhere(store, store.content(store.lone.blobs[0].digest).parent)


def tags_elsewhere(store: Store) -> None:
    elsewhere(store, store.path(layout.tags(NAME)))


def repository_elsewhere(store: Store) -> None:
    elsewhere(store, store.path(layout.repository(NAME)))


def link_as_directory(store: Store) -> None:
    path = store.path(layout.layer_link(NAME, Digest.parse(store.lone.blobs[0].digest)))
    path.unlink()
    path.mkdir()


def huge_link(store: Store) -> None:
    path = store.path(layout.revision_link(NAME, Digest.parse(store.lone.digest)))
    os.truncate(path, 20 << 20)


@pytest.mark.parametrize(
    "oddity", [content_elsewhere, tags_elsewhere, repository_elsewhere, link_as_directory, huge_link]
)
def test_what_is_no_store_of_ours_is_told_and_the_check_goes_on(store: Store, oddity: Callable[[Store], None]) -> None:
    """No traceback; what somebody has put elsewhere is still there after a repair, and so are the links to it."""
    links = sorted(store.root.rglob("_layers/**/link"))
    oddity(store)
    damaged = store.index.children[0].blobs[0].digest
    store.content(damaged).write_bytes(b"damaged")

    for options in ((), ("--repair",)):
        ended = store.fsck(*options)
        assert ended.status == 1
        assert "Traceback" not in ended.err
        assert len(ended.out.splitlines()) > (1 if not options else 0)
    if oddity is content_elsewhere:
        lost = layout.layer_link(NAME, Digest.parse(damaged))
        assert [path for path in links if not path.exists()] == [store.path(lost)]


def test_an_index_need_not_have_what_the_configuration_does_not_ask_for(tmp_path: Path) -> None:
    """It was taken without."""
    settings = {"validation": {"manifests": {"indexes": {"platforms": "none"}}}}
    with Server(tmp_path, settings) as server, server.client() as client:
        assert Repository(client, NAME).put_manifest("v1", index()).status_code == 201
        assert entrepot("fsck", str(server.directory / "config.yml")).status == 0


def test_what_was_put_aside_is_kept(store: Store) -> None:
    """For whoever wants to look at it."""
    digest = Digest.parse(flip(store))
    damaged = store.content(digest).read_bytes()
    store.fsck("--repair")

    aside = store.root / "entrepot" / "quarantine" / f"sha256-{digest.encoded}"
    assert aside.read_bytes() == damaged


def test_a_mirror_need_not_be_complete_and_heals(tmp_path: Path) -> None:
    """Layers that nobody has asked for are no finding; a damaged one comes anew from the upstream."""
    with ThreadedUpstream() as upstream:
        upstream.add_image("library/app", "latest", made := image(2))
        with Server(tmp_path, {"proxy": {"remoteurl": upstream.url}}) as server:
            config = str(server.directory / "config.yml")
            first = made.blobs[0]
            with server.client() as client:
                repository = Repository(client, "library/app")
                repository.get("manifests/latest")
                assert repository.get(f"blobs/{first.digest}").content == first.content
                data = server.root / layout.blob_data(Digest.parse(first.digest))[1:]
                wait_until(data.exists)
                wait_until(lambda: entrepot("fsck", config).status == 0)

                content = bytearray(data.read_bytes())
                content[0] ^= 1
                data.write_bytes(content)
                assert entrepot("fsck", config).status == 1
                assert entrepot("fsck", "--repair", config).status == 1
                assert repository.get(f"blobs/{first.digest}").content == first.content
                wait_until(lambda: entrepot("fsck", config).status == 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"filesystem": {"rootdirectory": "/nothing/here"}}, ("/nothing/here", "mount it")),
        ({"inmemory": {}, "maintenance": {"uploadpurging": {"enabled": False}}}, ("only storage.filesystem",)),
    ],
)
def test_what_cannot_be_checked(tmp_path: Path, settings: dict[str, object], words: tuple[str, ...]) -> None:
    """One line, and the status of a failure: a store that is not mounted is not sound."""
    config = tmp_path / "config.yml"
    config.write_text(
        yaml.safe_dump({"version": "0.1", "storage": settings, "http": {"addr": "127.0.0.1:0", "secret": "x"}})
    )
    ended = entrepot("fsck", str(config))

    assert ended.status == 1
    assert len(ended.err.splitlines()) == 1
    assert all(word in ended.err for word in words)


def test_a_bad_configuration(tmp_path: Path) -> None:
    """Status 2, as for every command."""
    assert entrepot("fsck", str(write_config(tmp_path, {"storage": {"filesystm": {}}}))).status == 2
