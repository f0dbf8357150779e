"""The section `health`: what is checked, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from entrepot.config.address import Peer
from entrepot.config.headers import Headers
from entrepot.config.section import Given, Section
from entrepot.config.types import Count, FilePath, Flag, Integer, Seconds, longer_than_zero_or, not_empty, positive_or
from entrepot.config.urls import Url

_Interval = Annotated[Seconds, longer_than_zero_or(10.0)]


class StorageCheck(Section):
    """Whether the storage driver answers."""

    enabled: Flag = False
    interval: _Interval = 10.0
    threshold: Count = 0


class FileCheck(Section):
    """Fails while the file exists."""

    file: Annotated[FilePath, not_empty]
    interval: _Interval = 10.0
    threshold: Count = 0


class HttpCheck(Section):
    """Fails unless HEAD is answered with the status; no timeout is 0."""

    uri: Annotated[Url, not_empty] = Field(repr=False)
    headers: Headers = Field({}, repr=False)
    statuscode: Annotated[Integer, positive_or(200)] = 200
    timeout: Seconds = 0.0
    interval: _Interval = 10.0
    threshold: Count = 0


class TcpCheck(Section):
    """Fails unless a connection can be made."""

    addr: Annotated[Peer, not_empty]
    timeout: Seconds = 0.0
    interval: _Interval = 10.0
    threshold: Count = 0


class Health(Section):
    """All times are in seconds; a threshold is the number of failures in a row that count."""

    segments = {"file": "FILECHECKERS", "http": "HTTPCHECKERS", "tcp": "TCPCHECKERS"}

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        for key, named in (("file", "file"), ("http", "uri"), ("tcp", "addr")):
            checks = given.get(key)
            names = [one.get(named) for one in checks if isinstance(one, dict)] if isinstance(checks, list) else []
            for name in sorted({str(name) for name in names if name and names.count(name) > 1}):
                yield key, f"{name} is checked twice"

    storagedriver: StorageCheck = StorageCheck()
    file: tuple[FileCheck, ...] = ()
    http: tuple[HttpCheck, ...] = ()
    tcp: tuple[TcpCheck, ...] = ()
