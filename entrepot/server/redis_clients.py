"""From the section `redis` to a client: of one server, of the master that sentinels name, or of a cluster.

Imported only where the configuration asks for it: the library takes megabytes of each worker.
"""

from __future__ import annotations

from typing import Any, cast

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from entrepot.config.redis import Redis as Settings
from entrepot.descriptors.redis_cache import Client, RedisCache

_DIAL, _ANSWER = 5.0, 3.0
"""Seconds, as go-redis has them, where the configuration does not say."""

_RETRIES = 3
_SHORTEST, _LONGEST = 0.008, 0.512


def build_cache(settings: Settings) -> RedisCache:
    """Connects when there is something to tell."""
    return RedisCache(lambda: connect(settings))


def connect(settings: Settings) -> Client:
    """By Distribution's rules: one address is a server, several a cluster, and a name of a master means sentinels."""
    addresses = [_split(address) for address in settings.addrs or (settings.addr,)]
    options = _options(settings)
    if settings.mastername:
        sentinel_options = {
            "username": settings.sentinelusername or None,
            "password": settings.sentinelpassword.get_secret_value() or None,
            "socket_connect_timeout": options["socket_connect_timeout"],
            "socket_timeout": options["socket_timeout"],
        }
        sentinels: Any = cast("Any", Sentinel)(addresses, sentinel_kwargs=sentinel_options)  # it has no types
        return cast("Client", sentinels.master_for(settings.mastername, **options))
    if len(addresses) > 1:
        options.pop("db")  # a cluster has one
        options.pop("retry")
        return cast("Client", RedisCluster(startup_nodes=[ClusterNode(*one) for one in addresses], **options))
    host, port = addresses[0]
    return cast("Client", Redis(host=host, port=port, **options))


def _options(settings: Settings) -> dict[str, Any]:
    answer = max(settings.readtimeout, settings.writetimeout)
    retries = settings.maxretries if settings.maxretries > 0 else (_RETRIES if settings.maxretries == 0 else 0)
    options = {
        "db": settings.db,
        "username": settings.username or None,
        "password": settings.password.get_secret_value() or None,
        "client_name": settings.clientname or None,
        "protocol": settings.protocol or 2,
        "socket_connect_timeout": settings.dialtimeout if settings.dialtimeout > 0 else _DIAL,
        "socket_timeout": answer if answer > 0 else _ANSWER,
        "max_connections": settings.poolsize or settings.pool.maxactive or None,
        "retry": Retry(_backoff(settings), retries),
        **_tls(settings),
    }
    return {key: value for key, value in options.items() if value is not None}


def _backoff(settings: Settings) -> ExponentialBackoff:
    shortest = settings.minretrybackoff if settings.minretrybackoff > 0 else _SHORTEST
    longest = settings.maxretrybackoff if settings.maxretrybackoff > 0 else _LONGEST
    return ExponentialBackoff(cap=max(shortest, longest), base=shortest)


def _tls(settings: Settings) -> dict[str, Any]:
    tls = settings.tls
    authorities = (*tls.rootcas, *tls.clientcas)
    if not (tls.certificate or authorities):
        return {}
    options: dict[str, Any] = {"ssl": True}
    if tls.certificate:
        options |= {"ssl_certfile": tls.certificate, "ssl_keyfile": tls.key}
    if authorities:
        texts = []
        for path in authorities:
            with open(path, encoding="ascii", errors="replace") as file:
                texts.append(file.read())
        options["ssl_ca_data"] = "\n".join(texts)
    return options


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
