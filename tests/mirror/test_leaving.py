"""What leaves the cache of a running mirror: its keeper frees real bytes, and nobody who pulls notices."""

import os
from pathlib import Path

from entrepot.oci.digest import Digest
from entrepot.testing.images import SampleBlob
from entrepot.testing.upstreams import TestUpstream, ThreadedUpstream
from tests.mirror.serving import MIB, Mirror, wait_until
from tests.repositories import Repository
from tests.servers import Server


def test_the_least_recently_used_leaves_above_the_bound(tmp_path: Path) -> None:
    """What is used stays, and so does what was pushed; what left is fetched again. Deleting need not be enabled."""
    with ThreadedUpstream() as upstream, _server(tmp_path, upstream, {"maxsize": "10MiB"}, deletes=False) as server:
        mirror = Mirror(server, upstream)
        pushed = SampleBlob(os.urandom(6 * MIB))
        with server.client() as client:
            Repository(client, "team/app").push_blob(pushed)
        blobs = [mirror.add_blob(3 * MIB) for _ in range(4)]
        for digest, content in blobs:
            assert mirror.get(f"blobs/{digest}").content == content
            wait_until(lambda digest=digest: mirror.is_kept(digest))  # type: ignore[misc]  # mypy knows no defaults
        (used, content), *others = blobs

        def gone() -> list[tuple[Digest, bytes]]:
            assert mirror.get(f"blobs/{used}").content == content
            return [(digest, content) for digest, content in others if not mirror.data(digest).exists()]

        wait_until(gone)

        assert len(gone()) == 1
        assert mirror.data(used).exists()
        assert mirror.data(Digest(pushed.digest)).exists()
        for digest, content in gone():
            assert mirror.get(f"blobs/{digest}").content == content
            assert upstream.count("GET", str(digest)) == 2
        assert upstream.count("GET", str(used)) == 1


def test_what_is_not_used_for_its_time_leaves(tmp_path: Path) -> None:
    """Its bytes are free, without a word of the operator."""
    with ThreadedUpstream() as upstream, _server(tmp_path, upstream, {"ttl": "1s"}, deletes=True) as server:
        mirror = Mirror(server, upstream)
        digest, content = mirror.add_blob(MIB)
        assert mirror.get(f"blobs/{digest}").content == content
        wait_until(lambda: mirror.is_kept(digest))

        wait_until(lambda: not mirror.data(digest).exists())

        assert mirror.get(f"blobs/{digest}").content == content


def _server(directory: Path, upstream: TestUpstream, bounds: dict[str, str], *, deletes: bool) -> Server:
    proxy = {"remoteurl": upstream.url, "local": ["team/**"], **bounds}
    settings = {"proxy": proxy, "storage": {"delete": {"enabled": deletes}}}
    return Server(directory, settings, prefix=("env", "ENTREPOT_WORKERS=2"))
