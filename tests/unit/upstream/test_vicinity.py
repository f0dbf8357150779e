"""Names that an upstream redirects to: judged by the addresses they have, not by how they look."""

from collections.abc import Mapping, Sequence

import pytest
from pyreqwest.http import Url

from entrepot.oci.errors import UpstreamFailed
from entrepot.testing import images
from entrepot.testing.faults import status
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.addresses import Address
from entrepot.upstream.base import NotConnected
from entrepot.upstream.vicinity import Vicinity
from tests.unit.upstream.conftest import NAME, Connect, read_blob

PUBLIC, OTHER = "203.0.114.8", "2606:4700::1"
REFUSED = UpstreamFailed
FINE = None

CASES: dict[str, tuple[Sequence[str], Sequence[str], type[Exception] | None]] = {
    "public to public": ([PUBLIC], [OTHER], FINE),
    "public to private": ([PUBLIC], ["10.0.0.8"], REFUSED),
    "public to private in IPv6": ([PUBLIC], ["fd00::8"], REFUSED),
    "public to IPv4 in IPv6": ([PUBLIC], ["::ffff:192.168.0.1"], REFUSED),
    "public to loopback": ([PUBLIC], ["127.0.0.1"], REFUSED),
    "public to link-local": ([PUBLIC], ["fe80::1%lo"], REFUSED),
    "public to both": ([PUBLIC], [PUBLIC, "10.0.0.8"], REFUSED),
    "private to private": (["10.0.0.1"], ["10.9.9.9"], FINE),
    "private to public": (["10.0.0.1"], [PUBLIC], FINE),
    "private to loopback": (["10.0.0.1"], ["127.0.0.1"], REFUSED),
    "anywhere to metadata": (["169.254.169.253"], ["169.254.169.254"], REFUSED),
    "metadata to metadata": (["169.254.169.254"], ["169.254.169.254"], REFUSED),
    "to nowhere": ([PUBLIC], [], NotConnected),
}


class Names:
    """Stands for DNS, and counts."""

    def __init__(self, addresses: Mapping[str, Sequence[str]]) -> None:
        self.asked: list[str] = []
        self._addresses = addresses

    async def look_up(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        found = self._addresses.get(host)
        if not found:
            raise OSError("Name or service not known")
        return found


@pytest.mark.parametrize(("own", "target", "expected"), CASES.values(), ids=CASES)
async def test_a_name_is_as_near_as_its_nearest_address(
    own: Sequence[str], target: Sequence[str], expected: type[Exception] | None
) -> None:
    """And may be no nearer than the upstream is."""
    names = Names({"registry.example": own, "cdn.example": target})
    vicinity = Vicinity(Address.parse("https://registry.example"), 1.0, lambda _: False, names.look_up)

    if expected is None:
        await vicinity.check(Url("https://cdn.example/blob"))
    else:
        with pytest.raises(expected):
            await vicinity.check(Url("https://cdn.example/blob"))


async def test_a_name_is_not_asked_for_each_blob() -> None:
    """Nor at all where it is the upstream itself, or where a proxy will ask for it."""
    names = Names({"cdn.example": [PUBLIC]})
    address = Address.parse("https://registry.example")
    vicinity = Vicinity(address, 1.0, lambda url: url.host_str == "behind.example", names.look_up)

    for host in ("cdn.example", "cdn.example", "registry.example", "behind.example"):
        await vicinity.check(Url(f"https://{host}/blob"))

    assert names.asked == ["cdn.example"]


async def test_a_redirect_to_a_name_with_a_private_address_is_not_followed(
    upstream: TestUpstream, connect: Connect
) -> None:
    """Nobody there is connected to."""
    digest = upstream.add_blob(NAME, images.random_blob(1000).content)
    upstream.misbehave(status(307, Location="http://cdn.example/blob"), path="/blobs/")
    names = Names({"cdn.example": ["10.0.0.8"], "127.0.0.1": ["127.0.0.1"]})

    with pytest.raises(UpstreamFailed, match="redirects to where it may not"):
        await read_blob(connect(lookup=names.look_up), digest)
