"""Which upstream a request means: by its path, by `ns=`, or by the host it was sent to."""

import re

import pytest

from entrepot.mirror.namespaces import DOCKER_HUB, Namespaces, Source
from entrepot.oci.errors import Denied, NameInvalid, NameUnknown
from entrepot.oci.names import RepositoryName
from entrepot.upstream.client import OciUpstream

NOWHERE = OciUpstream("http://127.0.0.1:1")
HUB = Source("docker.io", NOWHERE, DOCKER_HUB)
GHCR = Source("ghcr.io", NOWHERE, {"ghcr.io"}, "ghcr.io")
PORT = Source("reg.test:5000", NOWHERE, {"reg.test:5000"}, "reg.test_5000")
PLAIN = Source("quay.test", NOWHERE, {"quay.test"})


def is_local(name: RepositoryName) -> bool:
    """What the operator keeps here."""
    return name.startswith("team/")


HUB_AND_MORE = Namespaces([HUB, GHCR, PORT], is_local)


@pytest.mark.parametrize(
    ("name", "namespace", "host", "located"),
    [
        ("library/busybox", None, "mirror.test", "library/busybox"),
        ("busybox", None, "mirror.test", "library/busybox"),
        ("busybox", "docker.io", "mirror.test", "library/busybox"),
        ("bitnami/redis", "docker.io", "mirror.test", "bitnami/redis"),
        ("docker.io/library/busybox", None, "mirror.test", "library/busybox"),
        ("docker.io/busybox", None, "mirror.test", "library/busybox"),
        ("busybox", None, "registry-1.docker.io", "library/busybox"),
        ("owner/app", "ghcr.io", "mirror.test", "ghcr.io/owner/app"),
        ("owner/app", "GHCR.io", "mirror.test", "ghcr.io/owner/app"),
        ("app", "ghcr.io", "mirror.test", "ghcr.io/app"),
        ("ghcr.io/owner/app", None, "mirror.test", "ghcr.io/owner/app"),
        ("ghcr.io/owner/app", "ghcr.io", "mirror.test", "ghcr.io/owner/app"),
        ("owner/app", None, "ghcr.io", "ghcr.io/owner/app"),
        ("owner/app", None, "GHCR.io", "ghcr.io/owner/app"),
        ("owner/app", None, "ghcr.io:443", "ghcr.io/owner/app"),
        ("owner/app", None, "ghcr.io.", "ghcr.io/owner/app"),
        ("app", "reg.test:5000", "mirror.test", "reg.test_5000/app"),
        ("reg.test_5000/app", None, "mirror.test", "reg.test_5000/app"),
        ("app", None, "reg.test:5000", "reg.test_5000/app"),
        ("team/app", None, "mirror.test", "team/app"),
        ("team/app", "docker.io", "mirror.test", "team/app"),
        ("ghcr.io", None, "mirror.test", "library/ghcr.io"),
    ],
)
def test_a_repository_is_found(name: str, namespace: str | None, host: str, located: str) -> None:
    """`library/` is understood both ways for Docker Hub."""
    assert HUB_AND_MORE.locate(RepositoryName.parse(name), namespace, host) == located


@pytest.mark.parametrize(
    ("located", "label", "remote"),
    [
        ("library/busybox", "docker.io", "library/busybox"),
        ("ghcr.io/owner/app", "ghcr.io", "owner/app"),
        ("reg.test_5000/app", "reg.test:5000", "app"),
        ("ghcr.io", "docker.io", "ghcr.io"),
    ],
)
def test_a_located_repository_has_one_source(located: str, label: str, remote: str) -> None:
    """And a name there."""
    name = RepositoryName.parse(located)

    assert (HUB_AND_MORE.source(name).label, HUB_AND_MORE.remote(name)) == (label, remote)


@pytest.mark.parametrize("namespace", ["evil.test", "", "127.0.0.1:22", "ghcr.io.", "ghcr.io/owner", "x" * 9000])
def test_what_is_not_configured_is_not_fetched(namespace: str) -> None:
    """A mirror of whatever a client names would be an open proxy."""
    with pytest.raises(NameUnknown):
        HUB_AND_MORE.locate(RepositoryName("app"), namespace, "mirror.test")


def test_without_a_root_only_namespaces_are_served() -> None:
    """A path that names none is unknown, and so is `docker.io`."""
    namespaces = Namespaces([GHCR], is_local)

    assert namespaces.locate(RepositoryName("ghcr.io/a"), None, "") == "ghcr.io/a"
    for name, namespace in (("a/b", None), ("docker.io/a", None), ("a", "docker.io")):
        with pytest.raises(NameUnknown):
            namespaces.locate(RepositoryName(name), namespace, "")


def test_a_root_that_is_not_docker_hub_knows_no_official_images() -> None:
    """A name of one component is a name."""
    namespaces = Namespaces([PLAIN], is_local)

    assert namespaces.locate(RepositoryName("app"), None, "") == "app"
    assert namespaces.locate(RepositoryName("app"), "quay.test", "") == "app"


def test_a_name_that_its_namespace_makes_too_long_is_refused() -> None:
    """It could not be kept."""
    with pytest.raises(NameInvalid):
        HUB_AND_MORE.locate(RepositoryName("a" * 250), "ghcr.io", "")


def test_only_what_is_allowed_is_mirrored() -> None:
    """By its name at the upstream; what is denied counts first."""
    allow, deny = [re.compile("owner/.*")], [re.compile("owner/secret.*")]
    namespaces = Namespaces([Source("ghcr.io", NOWHERE, {"ghcr.io"}, "ghcr.io", allow=allow, deny=deny)], is_local)

    assert namespaces.locate(RepositoryName("owner/app"), "ghcr.io", "") == "ghcr.io/owner/app"
    for name in ("other/app", "owner/secrets"):
        with pytest.raises(Denied):
            namespaces.locate(RepositoryName(f"ghcr.io/{name}"), None, "")
