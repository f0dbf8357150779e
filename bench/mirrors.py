"""The mirrors of one upstream: Entrepot, docker-registry, nginx's proxy_cache with its lock, and none at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.contenders import DIRECT, NGINX, Serving, open_registry
from bench.upstream import Upstream
from tests.real.nginx import Nginx

PROXY = """
    proxy_cache_path {root} levels=1:2 keys_zone=cached:32m inactive=1h max_size=100g use_temp_path=off;
    upstream origin {{ server {upstream}; keepalive 64; }}
"""
# The times keep a client that waits for another's fill from asking the upstream as well.
PROXIED = """
        location / {
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache cached;
            proxy_cache_key $uri;
            proxy_cache_valid 200 1h;
            proxy_cache_lock on;
            proxy_cache_lock_age 10m;
            proxy_cache_lock_timeout 10m;
        }
"""


@contextmanager
def open_mirror(kind: str, root: Path, upstream: Upstream) -> Iterator[Serving]:
    """Serve the upstream's content through a cache in a directory; where the way is direct, by the upstream itself."""
    if kind == DIRECT:
        yield upstream.server
    elif kind == NGINX:
        address = urlsplit(upstream.server.url).netloc
        with Nginx(PROXIED, http=PROXY.format(root=root, upstream=address), workers=2) as server:
            yield server
    else:
        with open_registry(kind, root, upstream=upstream.server.url) as server:
            yield server
