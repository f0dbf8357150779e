"""The checks that the section `health` asks for, made by the keeper for the whole node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from entrepot.config.drivers import Filesystem
from entrepot.config.health import Health
from entrepot.config.root import Configuration
from entrepot.health.checks import file_check, http_check, storage_check, tcp_check
from entrepot.health.checkup import Checkup, Watched
from entrepot.server.assemble import build_driver
from entrepot.server.keeper import Duty
from entrepot.server.plan import Plan


def checked(configuration: Configuration) -> bool:
    """Whether there is anything to check. What lies in a worker's memory cannot fail."""
    health = configuration.health
    return bool(health.file or health.http or health.tcp or checks_storage(configuration))


def checks_storage(configuration: Configuration) -> bool:
    return configuration.health.storagedriver.enabled and isinstance(configuration.storage.driver, Filesystem)


def build_checkup(plan: Plan) -> Duty:
    """Called where the plan has a state of health."""
    if plan.health is None:
        raise TypeError("nobody would know what was checked")
    return Checkup([*_storage(plan.configuration), *_others(plan.configuration.health)], plan.health)


def _storage(configuration: Configuration) -> Iterator[Watched]:
    if checks_storage(configuration):
        driver, _ = build_driver(configuration.storage)
        check = configuration.health.storagedriver
        yield Watched("storagedriver_filesystem", storage_check(driver), check.interval, check.threshold)


def _others(health: Health) -> Iterator[Watched]:
    files = (Watched(one.file, file_check(one.file), one.interval, one.threshold) for one in health.file)
    https = (
        Watched(
            one.uri, http_check(one.uri, _lines(one.headers), one.statuscode, one.timeout), one.interval, one.threshold
        )
        for one in health.http
    )
    tcps = (Watched(one.addr, tcp_check(one.addr, one.timeout), one.interval, one.threshold) for one in health.tcp)
    return chain(files, https, tcps)


def _lines(headers: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in headers.items() for value in values]
