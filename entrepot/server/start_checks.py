"""What can be checked before anything is started, or renewed, by a configuration: its files, stores and accounts."""

from __future__ import annotations

from importlib import import_module

from entrepot.config.compatibility import Schema1
from entrepot.config.drivers import Filesystem
from entrepot.config.readable import unreadable_files
from entrepot.config.root import Configuration
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.server.authentication import AuthInvalid, build_authenticator, provision_htpasswd
from entrepot.server.listener import StartFailed
from entrepot.server.middleware import check_middleware
from entrepot.server.mirroring import build_upstream
from entrepot.server.reporting import check_reporting
from entrepot.telemetry import SilentMeter


def check(configuration: Configuration) -> None:
    """Raises StartFailed where a server could not do what is asked."""
    check_storage(configuration)
    check_upstreams(configuration)
    check_auth(configuration)
    check_redis(configuration)
    check_middleware(configuration.middleware)
    check_reporting(configuration.reporting)
    check_schema1(configuration.compatibility.schema1)


def check_schema1(schema1: Schema1) -> None:
    """Raises StartFailed where the signing key cannot be used."""
    if not (schema1.enabled and schema1.signingkeyfile):
        return
    reason = import_module("entrepot.server.schema1").problem(schema1.signingkeyfile)
    if reason is not None:
        raise StartFailed(f"compatibility.schema1.signingkeyfile: {reason}")


def check_redis(configuration: Configuration) -> None:
    """Raises StartFailed where a file that `redis.tls` names cannot be read. Whether Redis answers does not matter."""
    tls = configuration.redis.tls
    for key, paths in (
        ("certificate", (tls.certificate,)),
        ("key", (tls.key,)),
        ("clientcas", tls.clientcas),
        ("rootcas", tls.rootcas),
    ):
        for path in filter(None, paths):
            try:
                with open(path, "rb") as file:
                    file.read(1)
            except OSError as error:
                raise StartFailed(f"redis.tls.{key}: cannot read {path}: {error.strerror}") from None


def check_storage(configuration: Configuration) -> None:
    """Raises StartFailed where the store cannot be written, or not be used for what is asked."""
    parameters = configuration.storage.driver
    if not isinstance(parameters, Filesystem):
        if configuration.proxy.enabled:
            raise StartFailed("proxy: a mirror keeps its content in files; use storage.filesystem")
        return
    driver = FilesystemDriver(parameters.rootdirectory, parameters.maxthreads)
    try:
        driver.check()
    except OSError as error:
        raise StartFailed(f"storage.filesystem.rootdirectory: {error}") from None
    finally:
        driver.close()


def check_upstreams(configuration: Configuration) -> None:
    """Raises StartFailed where a file that `proxy` names is no good. Whether upstreams answer does not matter."""
    for path, text in unreadable_files(configuration.proxy):
        raise StartFailed(f"{path}: {text}")
    for source in configuration.proxy.sources:
        try:
            build_upstream(source, SilentMeter())
        except ValueError as error:
            raise StartFailed(f"proxy, {source.domain}: {error}") from None


def check_auth(configuration: Configuration) -> None:
    """Raises StartFailed where what `auth` names cannot be used."""
    try:
        provision_htpasswd(configuration.auth)
        build_authenticator(configuration.auth)
    except AuthInvalid as error:
        raise StartFailed(str(error)) from None
