"""containerd pulls images of any registry through Entrepot, which it tells by `ns=` which one is meant."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.client_settings import announced, documented
from tests.real.containerd import Containerd
from tests.real.processes import ProgramFailed
from tests.real.two_upstreams import NAMESPACE, TwoUpstreams, pulled_from
from tests.servers import Server

HOSTS = "containerd/certs.d/_default/hosts.toml"
NAME = f"{NAMESPACE}/app:1"


def hosts_directory(directory: Path, text: str) -> Path:
    """A directory that has this text where `/etc/containerd/certs.d` has it for all registries."""
    file = directory / "certs.d/_default/hosts.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file.parents[1]


@pytest.mark.parametrize("lines", [documented, announced])
def test_containerd_pulls_cold_warm_and_with_the_upstream_stopped(
    lines: Callable[[str, Server, str], str], two_upstreams: TwoUpstreams, containerd: Containerd, tmp_path: Path
) -> None:
    """Each blob comes once, from the upstream of the namespace; the root's, which has another image, is not asked."""
    mirror, further = two_upstreams.mirror, two_upstreams.further
    hosts = hosts_directory(tmp_path, lines(HOSTS, mirror, NAMESPACE))

    assert containerd.pull(NAME, hosts) == two_upstreams.image_of_further.digest
    fetched = further.requests("GET", "/blobs/")
    assert len(fetched) == len(set(fetched)) == 3

    containerd.remove(NAME)
    assert containerd.pull(NAME, hosts) == two_upstreams.image_of_further.digest
    assert further.requests("GET", "/blobs/") == fetched

    containerd.remove(NAME)
    further.stop()
    assert containerd.pull(NAME, hosts) == two_upstreams.image_of_further.digest
    assert not pulled_from(two_upstreams.root)


def test_containerd_pulls_images_of_the_root_by_the_host_they_begin_with(
    two_upstreams: TwoUpstreams, containerd: Containerd, tmp_path: Path
) -> None:
    """The same file is good for them: the root's upstream is known by its host and port as well."""
    hosts = hosts_directory(tmp_path, documented(HOSTS, two_upstreams.mirror, NAMESPACE))
    name = f"{two_upstreams.root.address}/app:1"

    assert containerd.pull(name, hosts) == two_upstreams.image_of_root.digest
    two_upstreams.root.stop()
    containerd.remove(name)
    assert containerd.pull(name, hosts) == two_upstreams.image_of_root.digest
    assert not pulled_from(two_upstreams.further)


def test_containerd_is_refused_what_is_of_no_upstream(
    two_upstreams: TwoUpstreams, containerd: Containerd, tmp_path: Path
) -> None:
    """No upstream is asked for another registry's image, and containerd goes on to that, which it can not reach."""
    mirror = two_upstreams.mirror
    hosts = hosts_directory(tmp_path, documented(HOSTS, mirror, NAMESPACE))

    with pytest.raises(ProgramFailed, match=r'"https://unknown\.test/v2/app/manifests/1".* proxyconnect'):
        containerd.pull("unknown.test/app:1", hosts)
    assert "/v2/app/manifests/1?ns=unknown.test" in mirror.output()
    assert not pulled_from(two_upstreams.root)
    assert not pulled_from(two_upstreams.further)
    with mirror.client() as client:
        assert client.get("/v2/app/manifests/1?ns=unknown.test").status_code == 404
