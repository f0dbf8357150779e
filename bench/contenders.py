"""The servers, all without access logs: Entrepot, Debian's docker-registry, and nginx on the same files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from tests.real.docker_registry import DockerRegistry
from tests.real.nginx import Nginx
from tests.servers import Server

ENTREPOT, REGISTRY, NGINX = "Entrepot", "docker-registry", "nginx"
DIRECT, BASELINE = "direct", "baseline"
"""Of mirrors: the upstream itself, and Entrepot without what the row is about."""
STATIC = """
        root {directory};
        location = /v2/ {{
            default_type application/json;
            add_header Docker-Distribution-Api-Version registry/2.0 always;
            return 200 '{{}}';
        }}
        {more}
        location ~ /manifests/ {{ default_type application/vnd.oci.image.manifest.v1+json; }}
        location ~ /blobs/ {{ default_type application/octet-stream; }}
"""


class Serving(Protocol):
    """A running server."""

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""

    @property
    def pid(self) -> int:
        """The process that was started; its descendants belong to the server."""


@contextmanager
def open_registry(
    kind: str,
    root: Path,
    *,
    upstream: str | None = None,
    bounds: Mapping[str, Any] | None = None,
    tls: Mapping[str, str] | None = None,
) -> Iterator[Serving]:
    """Serve a data directory by Entrepot or docker-registry: as a mirror of `upstream`, or with a certificate.

    `bounds` are settings of a mirror that only Entrepot knows.
    """
    http = {"tls": dict(tls)} if tls is not None else {}
    if kind == REGISTRY:
        with DockerRegistry(root, upstream=upstream, http=http, access_log=False) as registry:
            yield registry
        return
    settings: dict[str, Any] = {"log": {"level": "error", "accesslog": {"disabled": True}}, "http": http}
    if upstream is not None:
        settings["proxy"] = {"remoteurl": upstream, **(bounds or {})}
    with TemporaryDirectory(prefix="entrepot-") as directory, Server(Path(directory), settings, root=root) as server:
        yield server


@contextmanager
def open_static(directory: Path, more: str = "") -> Iterator[Serving]:
    """Serve a directory of published files by nginx with two workers and sendfile."""
    with Nginx(STATIC.format(directory=directory, more=more), workers=2) as server:
        yield server


@contextmanager
def open_all(root: Path, published: Path, kinds: Sequence[str]) -> Iterator[Mapping[str, Serving]]:
    """Serve one data directory, and for nginx what was published of it, by all these servers at the same time."""
    with ExitStack() as running:
        yield {
            kind: running.enter_context(open_static(published) if kind == NGINX else open_registry(kind, root))
            for kind in kinds
        }
