"""The section `redis`: one server as Distribution 2 names it, or one or several as Distribution 3 does."""

from __future__ import annotations

from collections.abc import Iterator

from entrepot.config.address import Peer
from entrepot.config.section import Given, Section, together
from entrepot.config.types import NO_SECRET, AnySeconds, Count, FilePath, Flag, Integer, Seconds, Secret, Text


class Pool(Section):
    """Connections of the 2.x client; zero means no limit."""

    maxidle: Count = 0
    maxactive: Count = 0
    idletimeout: Seconds = 0.0


class RedisTls(Section):
    """A client certificate, and whom to trust (`clientcas` in 3.0, `rootcas` since 3.1)."""

    certificate: FilePath = ""
    key: FilePath = ""
    clientcas: tuple[FilePath, ...] = ()
    rootcas: tuple[FilePath, ...] = ()

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        yield from together(given, "certificate", "key")


class Redis(Section):
    """All times are in seconds; zero leaves a limit to the client library, a negative one switches it off."""

    inlined = "OPTIONS"

    addr: Peer = ""
    addrs: tuple[Peer, ...] = ()
    pool: Pool = Pool()
    tls: RedisTls = RedisTls()
    clientname: Text = ""
    db: Count = 0
    protocol: Count = 0
    username: Text = ""
    password: Secret = NO_SECRET
    sentinelusername: Text = ""
    sentinelpassword: Secret = NO_SECRET
    maxretries: Integer = 0
    minretrybackoff: AnySeconds = 0.0
    maxretrybackoff: AnySeconds = 0.0
    dialtimeout: AnySeconds = 0.0
    readtimeout: AnySeconds = 0.0
    writetimeout: AnySeconds = 0.0
    contexttimeoutenabled: Flag = False
    poolfifo: Flag = False
    poolsize: Count = 0
    pooltimeout: AnySeconds = 0.0
    minidleconns: Count = 0
    maxidleconns: Count = 0
    maxactiveconns: Count = 0
    connmaxidletime: AnySeconds = 0.0
    connmaxlifetime: AnySeconds = 0.0
    maxredirects: Integer = 0
    readonly: Flag = False
    routebylatency: Flag = False
    routerandomly: Flag = False
    mastername: Text = ""
    disableidentity: Flag = False
    identitysuffix: Text = ""
    unstableresp3: Flag = False

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if given.get("addr") and given.get("addrs"):
            yield "addr", "give either addr or addrs"
        if given.get("pool") and given.get("addrs"):
            yield "pool", "has no effect beside addrs; poolsize and its neighbours have"
        if cls.used(given) and not given.get("addr") and not given.get("addrs"):
            yield "addrs", "required where another key of redis is given"
