"""A cache as its workers and its keeper see it, on real files and a real index, with a clock that the tests set."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from entrepot.content import Manifest
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.index.inventory import SqliteInventory
from entrepot.index.ledger import SqliteLedger
from entrepot.ledger import Kind
from entrepot.mirror.expiry import Bounds, Expiry
from entrepot.mirror.housekeeping import Housekeeping
from entrepot.mirror.removal import Removal
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import parse
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage import layout
from entrepot.storage.cache import LocalCache
from entrepot.storage.evicted import Identity
from entrepot.storage.eviction import Eviction
from entrepot.storage.leftovers import Leftovers
from entrepot.storage.local import LocalRegistry
from entrepot.storage.scheduler_state import read_expiries
from entrepot.storage.survey import Survey, link_path
from entrepot.storage.validation import Rules
from entrepot.telemetry import SilentMeter
from entrepot.testing.images import SampleManifest

APP = RepositoryName.parse("library/app")
OTHER = RepositoryName.parse("library/other")
FURTHER = RepositoryName.parse("ghcr.io/owner/app")
LOCAL = RepositoryName.parse("team/app")
DAY = 86_400.0


def namespace_of(name: RepositoryName) -> str:
    """As a mirror of one further upstream has it."""
    return "ghcr.io" if name.startswith("ghcr.io/") else ""


def is_local(name: RepositoryName) -> bool:
    """Whether content is pushed there."""
    return name.startswith("team/")


class Counted(SilentMeter):
    """A meter that keeps what was evicted."""

    def __init__(self) -> None:
        self.evictions: list[tuple[str, str, int, int]] = []

    def evicted(self, upstream: str, reason: str, entries: int, size: int) -> None:
        self.evictions.append((upstream, reason, entries, size))


class KeptCache:
    """One worker's cache and the keeper; `bounds`, `maxsize` and `needed` may be set before `housekeeping` is asked."""

    def __init__(self, root: Path, now: float) -> None:
        self.root = root
        self.now = now
        self.files = FilesystemDriver(str(root))
        self.registry = LocalRegistry(self.files, self.files, Rules())
        self.cache = LocalCache(self.registry, self.files)
        self.index = root / "entrepot" / "index.db"
        self.ledger = SqliteLedger(str(self.index), namespace_of, self.clock)
        self.inventory = SqliteInventory(str(self.index), namespace_of)
        self.survey = Survey(self.files, is_local)
        self.eviction = Eviction(self.files, self.files, 2.0, self._pause)
        self.leftovers = Leftovers(self.files, self.files, DAY, self.clock)
        self.meter = Counted()
        self.bounds = {"": Bounds(7 * DAY, upstream="docker.io"), "ghcr.io": Bounds(7 * DAY)}
        self.maxsize = 0
        self.shortage = 0
        self.during_pause: list[Callable[[], Awaitable[object]]] = []
        """What happens while the eviction waits, one for each time."""

    def clock(self) -> float:
        return self.now

    async def _pause(self, seconds: float) -> None:
        assert seconds == 2.0
        await asyncio.sleep(0)
        if self.during_pause:
            await self.during_pause.pop(0)()

    @property
    def removal(self) -> Removal[Identity]:
        """As the keeper has it."""
        return Removal(self.inventory, self.eviction, self.survey, is_local)

    @property
    def expiry(self) -> Expiry:
        """As the keeper has it."""
        return Expiry(
            self.inventory,
            self.removal,
            bounds=self.bounds,
            maxsize=self.maxsize,
            shortage=lambda: self.shortage,
            namespace_of=namespace_of,
            meter=self.meter,
            clock=self.clock,
        )

    @property
    def housekeeping(self) -> Housekeeping:
        """As the keeper has it."""
        return Housekeeping(
            self.inventory,
            self.survey,
            self.expiry,
            self.removal,
            sweep=self.leftovers.sweep,
            expiries=lambda: read_expiries(self.files),
            bounds=self.bounds,
            namespace_of=namespace_of,
            clock=self.clock,
            interval=0.01,
            pause=0.0,
        )

    async def fill(self, name: RepositoryName, content: bytes) -> Digest:
        """Bring a blob as a fill does."""
        digest = Digest.of(content)
        spool = Path(self.cache.spool_path(digest))
        spool.parent.mkdir(parents=True, exist_ok=True)
        spool.write_bytes(content)
        await self.cache.adopt(digest)
        await self.cache.link_blob(name, digest)
        self.ledger.kept_blob(name, digest, len(content))
        await self.ledger.flush()
        return digest

    async def pull(self, name: RepositoryName, image: SampleManifest, tag: str | None = None) -> Digest:
        """Bring an image, or an index with its images."""
        for blob in image.blobs:
            await self.fill(name, blob.content)
        for child in image.children:
            await self.pull(name, child)
        digest = Digest.parse(image.digest)
        manifest = Manifest(digest, image.content, parse(image.content, None))
        await self.cache.store_manifest(name, manifest)
        self.ledger.kept_manifest(name, manifest)
        if tag is not None:
            await self.cache.set_tag(name, Tag.parse(tag), digest)
            self.ledger.confirmed(name, Tag.parse(tag), digest)
        await self.ledger.flush()
        return digest

    async def use(self, name: RepositoryName, digest: Digest) -> None:
        """Give it to somebody."""
        self.ledger.used(name, digest)
        await self.ledger.flush()

    def data(self, digest: Digest) -> Path:
        return Path(self.files.local_path(layout.blob_data(digest)))

    def evicted(self, digest: Digest) -> Path:
        return Path(self.files.local_path(layout.blob_evicted(digest)))

    def link(self, name: RepositoryName, digest: Digest, kind: Kind = Kind.BLOB) -> Path:
        return Path(self.files.local_path(link_path(name, digest, kind)))

    def bytes_on_disk(self) -> int:
        """Of content, wherever it lies."""
        blobs = self.root / "docker/registry/v2/blobs"
        return sum(path.stat().st_size for path in blobs.rglob("*") if path.is_file())

    def close(self) -> None:
        self.inventory.close()
        self.ledger._database.close()
        self.ledger._stop_reading()
        self.files.close()
