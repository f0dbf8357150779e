"""The section `storage`: one driver with its parameters, and what is kept beside the driver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator

from entrepot.config.drivers import S3, Azure, Filesystem, Gcs, InMemory, Oss, S3Goamz, Swift
from entrepot.config.problems import Unfit
from entrepot.config.section import Choice, Given, Parameters, value_at
from entrepot.config.sizes import Share, ShareOfDisk, Size
from entrepot.config.types import Count, Flag, Integer, UntypedSeconds, as_flag, one_of

Driver = Filesystem | InMemory | S3 | S3Goamz | Azure | Gcs | Swift | Oss

DRIVERS = ("filesystem", "inmemory", "s3", "s3aws", "s3goamz", "azure", "gcs", "swift", "oss")

DescriptorCache = Literal["inmemory", "redis"]
_descriptor_cache = one_of("inmemory", "redis")


def _positive(value: float) -> float:
    if not value:
        raise Unfit("must be longer than 0")
    return value


class UploadPurging(Parameters):
    """When uploads that nobody finished are removed."""

    enabled: Flag = True
    age: UntypedSeconds = 7 * 24 * 3600.0
    interval: UntypedSeconds = 24 * 3600.0
    dryrun: Flag = False

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if as_flag(given.get("enabled")) is not False:
            for key in ("age", "interval", "dryrun"):
                if given.get(key) is None:
                    yield key, "required where uploadpurging is written out"


class ReadOnly(Parameters):
    """Whether writes are refused."""

    enabled: Flag = False


class GarbageCollect(Parameters):
    """Collection while the registry is served. Not a key of Distribution, which ignores it."""

    enabled: Flag = False
    interval: Annotated[UntypedSeconds, AfterValidator(_positive)] = 24 * 3600.0
    age: Annotated[UntypedSeconds, AfterValidator(_positive)] = 24 * 3600.0
    """A push brings its blobs before the manifest that needs them."""
    deleteuntagged: Flag = False


class UploadLimits(Parameters):
    """What uploads may take; 0 is no bound. Not a key of Distribution, which ignores it."""

    maxsize: Size = 0
    maxsessions: Count = 10_000
    minfree: ShareOfDisk = Share()


class Maintenance(Parameters):
    """What an operator does to a running registry."""

    garbagecollect: GarbageCollect = GarbageCollect()
    uploadlimits: UploadLimits = UploadLimits()
    uploadpurging: UploadPurging = UploadPurging()
    readonly: ReadOnly = ReadOnly()

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        for key in ("uploadpurging", "readonly"):
            if key in given and given[key] is None:
                yield key, "must contain additional keys, or be left out"


class Cache(Parameters):
    """The cache of blob descriptors; `layerinfo` is an old name of `blobdescriptor`."""

    blobdescriptor: Annotated[DescriptorCache, _descriptor_cache] | None = None
    blobdescriptorsize: Integer = 10_000
    layerinfo: Annotated[DescriptorCache, _descriptor_cache] | None = None

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        old, new = given.get("layerinfo"), given.get("blobdescriptor")
        if old is not None and new is not None and old != new:
            yield "layerinfo", "an old name of blobdescriptor, which has another value"

    @property
    def descriptors(self) -> DescriptorCache | None:
        """Where descriptors are cached, by whichever name it was given."""
        return self.blobdescriptor or self.layerinfo


class Delete(Parameters):
    """Whether content may be deleted through the API."""

    enabled: Flag = False


class Redirect(Parameters):
    """Whether clients are sent to the backend for blobs; no effect on a driver that has no URLs of its own."""

    disable: Flag = False

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if given.get("disable") is None:
            yield "disable", "required where redirect is written out"


class Tag(Parameters):
    """Limits of work on tags; zero reads means as many at once as there are processors."""

    concurrencylimit: Count = 0


class Storage(Choice):
    """Exactly one driver, and the settings beside it."""

    filesystem: Filesystem | None = None
    inmemory: InMemory | None = None
    s3: S3 | None = None
    s3aws: S3 | None = None
    s3goamz: S3Goamz | None = None
    azure: Azure | None = None
    gcs: Gcs | None = None
    swift: Swift | None = None
    oss: Oss | None = None
    maintenance: Maintenance = Maintenance()
    cache: Cache = Cache()
    delete: Delete = Delete()
    redirect: Redirect = Redirect()
    tag: Tag = Tag()

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        chosen = [key for key in given if key in DRIVERS]
        if not chosen and set(given) <= set(cls.by_key()):
            yield "", f"needs exactly one storage driver, one of {', '.join(DRIVERS)}"
        for key in chosen[1:]:
            yield key, f"only one storage driver may be given, and there is {chosen[0]} already"
        purging = value_at(given, "maintenance", "uploadpurging")
        if chosen == ["inmemory"] and isinstance(purging, dict) and as_flag(purging.get("enabled")) is not False:
            yield "maintenance", "uploadpurging has no effect on inmemory; give enabled: false"
        collecting = value_at(given, "maintenance", "garbagecollect")
        if chosen == ["inmemory"] and isinstance(collecting, dict) and as_flag(collecting.get("enabled")):
            yield "maintenance", "garbagecollect has no effect on inmemory; leave it out"

    @property
    def driver(self) -> Driver:
        """The one driver that is given."""
        drivers: tuple[Driver | None, ...] = (
            *(self.filesystem, self.inmemory, self.s3, self.s3aws, self.s3goamz),
            *(self.azure, self.gcs, self.swift, self.oss),
        )
        return next(driver for driver in drivers if driver is not None)
