"""Rows of reading: manifests and blobs over many connections, and one large stream over TLS."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.contenders import ENTREPOT, NGINX, REGISTRY, open_all, open_registry
from bench.content import REPOSITORY
from bench.load import get_many, get_once, head_many
from bench.row import Measure, Row, Target
from bench.scene import Scene, Served
from tests.real.processes import run

PathOf = Callable[[Served], str]

BOTH = (ENTREPOT, REGISTRY)
ALL = (ENTREPOT, REGISTRY, NGINX)
MANIFEST = {"Accept": "application/vnd.oci.image.manifest.v1+json"}


@dataclass(frozen=True, slots=True)
class Load:
    """What is done to a URL for so many seconds, and the unit of the figure that it gives."""

    unit: str
    put_on: Callable[[str, float], float]


HEADS = Load("1/s", lambda url, seconds: head_many(url, seconds, MANIFEST))
MANIFESTS = Load("1/s", lambda url, seconds: get_many(url, seconds, MANIFEST).requests)
BLOBS = Load("1/s", lambda url, seconds: get_many(url, seconds, {}).requests)
BLOB_BYTES = Load("MB/s", lambda url, seconds: get_many(url, seconds, {}).megabytes)
RANGES = Load("1/s", lambda url, seconds: get_many(url, seconds, {}, ranges=True).requests)


@contextmanager
def reading(scene: Scene, path_of: PathOf, load: Load, contenders: tuple[str, ...]) -> Iterator[Measure]:
    """Load one path of servers that run at the same time, after they have answered it alike."""
    served = scene.served
    path = f"/v2/{REPOSITORY}/{path_of(served)}"
    with open_all(served.volume.root, served.published, contenders) as servers:
        urls = {contender: f"{server.url}{path}" for contender, server in servers.items()}
        check_alike(urls.values())
        for url in urls.values():
            load.put_on(url, 1)
        yield lambda contender: load.put_on(urls[contender], scene.scale.seconds)


def check_alike(urls: Iterable[str]) -> None:
    """Raise ValueError unless all URLs are answered with 200, the same bytes and the same type."""
    answers = [httpx.get(url, headers=MANIFEST, trust_env=False) for url in urls]
    seen = {(answer.status_code, answer.headers["Content-Type"], answer.content) for answer in answers}
    if len(seen) != 1 or answers[0].status_code != 200:
        raise ValueError(f"the servers do not answer alike: {[(answer.url, answer.headers) for answer in answers]}")


@contextmanager
def reading_over_tls(scene: Scene, option: str) -> Iterator[Measure]:
    """Get one large blob over TLS 1.3 with one client, in the HTTP version that the option of curl names."""
    served = scene.served
    path = f"/v2/{REPOSITORY}/blobs/{served.stream.digest}"
    with TemporaryDirectory(prefix="bench-tls-") as directory, ExitStack() as running:
        tls = certificate(Path(directory))
        servers = {kind: running.enter_context(open_registry(kind, served.volume.root, tls=tls)) for kind in BOTH}

        def measure(contender: str) -> float:
            seconds = get_once(f"{servers[contender].url}{path}", "--tlsv1.3", option)
            return served.stream.size / seconds / 1e6

        yield measure


def certificate(directory: Path) -> dict[str, str]:
    """Make a key and a certificate for 127.0.0.1 and return the settings that name them."""
    key, made = directory / "key.pem", directory / "certificate.pem"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    names = ("-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1")
    run(["openssl", "req", "-x509", "-nodes", *curve, *names, "-keyout", str(key), "-out", str(made)])
    return {"certificate": str(made), "key": str(key)}


def row(name: str, work: str, path_of: PathOf, load: Load, target: Target) -> Row:
    """A row of one path under load; against nginx where the target says so."""
    contenders = BOTH if target.nginx is None else ALL
    measuring = partial(reading, path_of=path_of, load=load, contenders=contenders)
    return Row(name, work, load.unit, measuring, target, contenders)


def manifest(served: Served) -> str:
    return f"manifests/{served.manifest.digest}"


def tag(_served: Served) -> str:
    return "manifests/latest"


def kib(served: Served) -> str:
    return f"blobs/{served.kib.digest}"


def mib(served: Served) -> str:
    return f"blobs/{served.mib.digest}"


def large(served: Served) -> str:
    return f"blobs/{served.large.digest}"


STREAM = "GET 512 MiB over TLS 1.3"
ROWS = [
    row("manifest", "GET manifest by digest", manifest, MANIFESTS, Target(5, 0.65)),
    row("tag", "GET manifest by tag", tag, MANIFESTS, Target(5, 0.5)),
    row("head", "HEAD manifest by tag", tag, HEADS, Target(5)),
    row("blob-1k", "GET blob of 1 KiB", kib, BLOBS, Target(20, 0.6)),
    row("blob-1m", "GET blob of 1 MiB", mib, BLOB_BYTES, Target(3, 0.8)),
    row("blob-64m", "GET blob of 64 MiB", large, BLOB_BYTES, Target(1.2, 1)),
    row("ranges", "GET 1 MiB in ranges of 64 KiB", mib, RANGES, Target(3, 0.5)),
    Row("tls", f"{STREAM}, HTTP/1.1", "MB/s", partial(reading_over_tls, option="--http1.1"), Target(1)),
    Row("tls-h2", f"{STREAM}, HTTP/2", "MB/s", partial(reading_over_tls, option="--http2"), Target(1)),
]
