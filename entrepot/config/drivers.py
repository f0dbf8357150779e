"""The storage drivers' parameters, one class per driver; `storage` says which driver is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from entrepot.config.problems import Unfit
from entrepot.config.section import Given, Parameters, together
from entrepot.config.types import (
    NO_SECRET,
    FilePath,
    LooseCount,
    LooseFlag,
    Name,
    Secret,
    Text,
    UntypedMap,
    UntypedSeconds,
    as_flag,
    not_empty,
    one_of,
    within,
)
from entrepot.config.urls import BaseUrl, Origin, Url

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_LEAST_THREADS = 25
_AtLeastThreads = Annotated[LooseCount, AfterValidator(lambda value: max(value, _LEAST_THREADS))]
_PartSize = Annotated[LooseCount, within(5 * MIB, 5 * GIB)]
_StorageClass = Annotated[
    str,
    one_of(
        "NONE",
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "OUTPOSTS",
        "GLACIER_IR",
        "EXPRESS_ONEZONE",
    ),
]
_Acl = Annotated[
    str,
    one_of(
        "private",
        "public-read",
        "public-read-write",
        "aws-exec-read",
        "authenticated-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
    ),
]
_SdkLogLevel = Annotated[
    str,
    one_of(
        "off",
        "debug",
        "debugwithsigning",
        "debugwithhttpbody",
        "debugwithrequestretries",
        "debugwithrequesterrors",
        "debugwitheventstreambody",
        any_case=True,
    ),
]


def _whole_chunks(value: int) -> int:
    if value < 256 * KIB or value % (256 * KIB):
        raise Unfit("must be a multiple of 262144 (256 KiB)")
    return value


class Filesystem(Parameters):
    """A directory. Fewer than 25 threads are raised to 25."""

    rootdirectory: Annotated[FilePath, not_empty] = "/var/lib/registry"
    maxthreads: _AtLeastThreads = 100


class InMemory(Parameters):
    """The memory of the process, for tests: it takes no parameters and keeps nothing."""


class _Amazon(Parameters):
    """What every S3 driver of Distribution takes."""

    accesskey: Secret = NO_SECRET
    secretkey: Secret = NO_SECRET
    region: Text = ""
    bucket: Name
    encrypt: LooseFlag = False
    secure: LooseFlag = True
    v4auth: LooseFlag = True
    chunksize: _PartSize = 10 * MIB
    rootdirectory: Text = ""
    storageclass: _StorageClass = "STANDARD"

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        yield from together(given, "accesskey", "secretkey")
        if not given.get("regionendpoint"):
            if not given.get("region"):
                yield "region", "required without regionendpoint"
            if as_flag(given.get("v4auth")) is False:
                yield "v4auth", "only a server named by regionendpoint takes the older signatures"


class S3Goamz(_Amazon):
    """The S3 driver that Distribution 2.6 still had as s3goamz."""


class S3(_Amazon):
    """Amazon S3 or a compatible server."""

    regionendpoint: Text = ""
    forcepathstyle: LooseFlag = False
    keyid: Text = ""
    skipverify: LooseFlag = False
    multipartcopychunksize: _PartSize = 32 * MIB
    multipartcopymaxconcurrency: Annotated[LooseCount, within(1)] = 100
    multipartcopythresholdsize: LooseCount = 32 * MIB
    objectacl: _Acl = "private"
    useragent: Text = ""
    usedualstack: LooseFlag = False
    accelerate: LooseFlag = False
    loglevel: _SdkLogLevel = "off"
    usefipsendpoint: LooseFlag = False
    redirectendpoint: Origin = ""


class AzureCredentials(Parameters):
    """How to sign in to Azure."""

    type: Annotated[str, one_of("client_secret", "shared_key", "default_credentials")]
    clientid: Text = ""
    tenantid: Text = ""
    secret: Secret = NO_SECRET

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if given.get("type") == "client_secret":
            for key in ("clientid", "tenantid", "secret"):
                if not given.get(key):
                    yield key, "required where the type is client_secret"


class Azure(Parameters):
    """Azure blob storage."""

    accountname: Name
    accountkey: Secret = NO_SECRET
    container: Name
    realm: Text = "core.windows.net"
    credentials: AzureCredentials | None = None
    rootdirectory: Text = ""
    serviceurl: Url = Field("", repr=False)
    connectionstring: Secret = NO_SECRET
    max_retries: LooseCount = 5
    retry_delay: UntypedSeconds = 0.1
    skipverify: LooseFlag = False


class Gcs(Parameters):
    """Google Cloud Storage."""

    bucket: Name
    keyfile: FilePath = ""
    credentials: UntypedMap = Field({}, repr=False)
    rootdirectory: Text = ""
    chunksize: Annotated[LooseCount, AfterValidator(_whole_chunks)] = 16 * MIB
    maxconcurrency: _AtLeastThreads = 50
    useragent: Text = ""

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if given.get("keyfile") and given.get("credentials"):
            yield "credentials", "give either a keyfile or the credentials themselves"


class Swift(Parameters):
    """OpenStack Swift."""

    username: Name
    password: Secret
    authurl: Annotated[BaseUrl, not_empty]
    container: Name
    tenant: Text = ""
    tenantid: Text = ""
    domain: Text = ""
    domainid: Text = ""
    tenantdomain: Text = ""
    tenantdomainid: Text = ""
    trustid: Text = ""
    region: Text = ""
    authversion: LooseCount = 0
    prefix: Text = ""
    endpointtype: Annotated[str, one_of("public", "internal", "admin")] = "public"
    insecureskipverify: LooseFlag = False
    chunksize: Annotated[LooseCount, within(1 * MIB)] = 20 * MIB
    secretkey: Secret = NO_SECRET
    accesskey: Secret = NO_SECRET
    tempurlcontainerkey: LooseFlag = False
    tempurlmethods: tuple[Text, ...] = ()


class Oss(Parameters):
    """Alibaba Cloud OSS."""

    accesskeyid: Name
    accesskeysecret: Secret
    region: Name
    bucket: Name
    endpoint: Text = ""
    internal: LooseFlag = False
    encrypt: LooseFlag = False
    secure: LooseFlag = True
    chunksize: Annotated[LooseCount, within(5 * MIB)] = 10 * MIB
    rootdirectory: Text = ""
