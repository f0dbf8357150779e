"""skopeo pulls through Entrepot: by path, and as the lines for podman's and its own configuration make it."""

from pathlib import Path

import pytest

from tests.real import skopeo
from tests.real.client_settings import REGISTRIES, documented
from tests.real.layouts import dir_files, read_dir
from tests.real.two_upstreams import NAMESPACE, TwoUpstreams, pulled_from

pytestmark = pytest.mark.usefixtures("skopeo_installed")


def test_skopeo_pulls_by_path_cold_warm_and_with_the_upstream_stopped(
    two_upstreams: TwoUpstreams, tmp_path: Path
) -> None:
    """Each blob comes once, from the upstream that the path begins with; the root's is not asked."""
    further, wanted = two_upstreams.further, dir_files(two_upstreams.image_of_further)
    name = f"docker://{two_upstreams.mirror.address}/{NAMESPACE}/app:1"

    skopeo.copy(name, f"dir:{tmp_path}/cold")
    fetched = further.requests("GET", "/blobs/")
    assert len(fetched) == len(set(fetched)) == 3

    skopeo.copy(name, f"dir:{tmp_path}/warm")
    assert further.requests("GET", "/blobs/") == fetched

    further.stop()
    skopeo.copy(name, f"dir:{tmp_path}/stopped")
    assert [read_dir(tmp_path / state) for state in ("cold", "warm", "stopped")] == [wanted] * 3
    assert not pulled_from(two_upstreams.root)


def test_skopeo_pulls_by_the_lines_of_registries_conf(two_upstreams: TwoUpstreams, tmp_path: Path) -> None:
    """An image is asked for by its own name, which leads to no registry: what comes can only come from the mirror."""
    registries = tmp_path / "registries.conf"
    registries.write_text(documented(REGISTRIES, two_upstreams.mirror.address, NAMESPACE))

    skopeo.copy_by(registries, f"docker://{NAMESPACE}/app:1", f"dir:{tmp_path}/cold")
    two_upstreams.further.stop()
    skopeo.copy_by(registries, f"docker://{NAMESPACE}/app:1", f"dir:{tmp_path}/stopped")

    wanted = dir_files(two_upstreams.image_of_further)
    assert [read_dir(tmp_path / state) for state in ("cold", "stopped")] == [wanted] * 2
    assert not pulled_from(two_upstreams.root)
