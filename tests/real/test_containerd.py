"""containerd pulls images of any registry through Entrepot, which it tells by `ns=` which one is meant."""

from pathlib import Path

import pytest

from tests.real.client_settings import HOSTS, documented
from tests.real.containerd import Containerd
from tests.real.processes import ProgramFailed
from tests.real.two_upstreams import NAMESPACE, TwoUpstreams, pulled_from

NAME = f"{NAMESPACE}/app:1"


@pytest.fixture
def hosts(two_upstreams: TwoUpstreams, tmp_path: Path) -> Path:
    """A directory that stands for `/etc/containerd/certs.d`, with the documented file in it."""
    file = tmp_path / "certs.d/_default/hosts.toml"
    file.parent.mkdir(parents=True)
    file.write_text(documented(HOSTS, two_upstreams.mirror.address, NAMESPACE))
    return file.parents[1]


def test_containerd_pulls_cold_warm_and_with_the_upstream_stopped(
    two_upstreams: TwoUpstreams, containerd: Containerd, hosts: Path
) -> None:
    """Each blob comes once, from the upstream of the namespace; the root's, which has another image, is not asked."""
    further = two_upstreams.further

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
    two_upstreams: TwoUpstreams, containerd: Containerd, hosts: Path
) -> None:
    """The same file is good for them: the root's upstream is known by its host and port as well."""
    name = f"{two_upstreams.root.address}/app:1"

    assert containerd.pull(name, hosts) == two_upstreams.image_of_root.digest
    two_upstreams.root.stop()
    containerd.remove(name)
    assert containerd.pull(name, hosts) == two_upstreams.image_of_root.digest
    assert not pulled_from(two_upstreams.further)


def test_containerd_is_refused_what_is_of_no_upstream(
    two_upstreams: TwoUpstreams, containerd: Containerd, hosts: Path
) -> None:
    """No upstream is asked for another registry's image, and containerd goes on to that, which it can not reach."""
    with pytest.raises(ProgramFailed, match=r'"https://unknown\.test/v2/app/manifests/1".* proxyconnect'):
        containerd.pull("unknown.test/app:1", hosts)
    two_upstreams.mirror.stop()  # its access log is whole then
    log = (two_upstreams.mirror.directory / "log").read_text()
    assert '"HEAD /v2/app/manifests/1?ns=unknown.test HTTP/1.1" 404 ' in log
    assert not pulled_from(two_upstreams.root)
    assert not pulled_from(two_upstreams.further)
