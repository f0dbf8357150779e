"""Rows of reading: manifests and blobs over many connections, and one large stream over TLS."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.content import REPOSITORY
from bench.contenders import ENTREPOT, NGINX, REGISTRY, open_all, open_registry
from bench.load import get_many, get_once, head_many
from bench.row import Measure, Row, Target
from bench.scene import Scene, Served
from tests.real.processes import run

PathOf = Callable[[Served], str]
Load = Callable[[str, float], float]
"""Loads a URL for so many seconds and returns the figure."""

BOTH = (ENTREPOT, REGISTRY)
ALL = (ENTREPOT, REGISTRY, NGINX)
MANIFEST = {"Accept": "application/vnd.oci.image.manifest.v1+json"}


def manifests_by_number(url: str, seconds: float) -> float:
    """Manifests in a second."""
    return get_many(url, seconds, MANIFEST).requests


def heads_by_number(url: str, seconds: float) -> float:
    """Answers to HEAD in a second."""
    return head_many(url, seconds, MANIFEST)


def blobs_by_number(url: str, seconds: float) -> float:
    """Blobs in a second."""
    return get_many(url, seconds, {}).requests


def blobs_by_size(url: str, seconds: float) -> float:
    """MB of blobs in a second."""
    return get_many(url, seconds, {}).megabytes


def ranges_by_number(url: str, seconds: float) -> float:
    """Ranges of 64 KiB in a second."""
    return get_many(url, seconds, {}, ranges=True).requests


@contextmanager
def reading(scene: Scene, path_of: PathOf, load: Load, contenders: tuple[str, ...]) -> Iterator[Measure]:
    """Load one path of servers that run at the same time, after they have answered it alike."""
    served = scene.served
    path = f"/v2/{REPOSITORY}/{path_of(served)}"
    with open_all(served.volume.root, served.published, contenders) as servers:
        urls = {contender: f"{server.url}{path}" for contender, server in servers.items()}
        check_alike(urls.values())
        for url in urls.values():
            load(url, 1)
        yield lambda contender: load(urls[contender], scene.scale.seconds)


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


def row(name: str, work: str, unit: str, path_of: PathOf, load: Load, target: Target) -> Row:
    """A row of one path under load; against nginx where the target says so."""
    contenders = BOTH if target.nginx is None else ALL
    return Row(
        name, work, unit, partial(reading, path_of=path_of, load=load, contenders=contenders), target, contenders
    )


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
    row("manifest", "GET manifest by digest", "1/s", manifest, manifests_by_number, Target(5, 0.65)),
    row("tag", "GET manifest by tag", "1/s", tag, manifests_by_number, Target(5, 0.5)),
    row("head", "HEAD manifest by tag", "1/s", tag, heads_by_number, Target(5)),
    row("blob-1k", "GET blob of 1 KiB", "1/s", kib, blobs_by_number, Target(20, 0.6)),
    row("blob-1m", "GET blob of 1 MiB", "MB/s", mib, blobs_by_size, Target(3, 0.8)),
    row("blob-64m", "GET blob of 64 MiB", "MB/s", large, blobs_by_size, Target(1.2, 1)),
    row("ranges", "GET 1 MiB in ranges of 64 KiB", "1/s", mib, ranges_by_number, Target(3, 0.5)),
    Row("tls", f"{STREAM}, HTTP/1.1", "MB/s", partial(reading_over_tls, option="--http1.1"), Target(1)),
    Row("tls-h2", f"{STREAM}, HTTP/2", "MB/s", partial(reading_over_tls, option="--http2"), Target(1)),
]
