"""Where credentials go and where not, looked at where they would arrive: at the receiving socket."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.errors import Unauthorized, UpstreamFailed
from entrepot.testing import images
from entrepot.testing.demands import BasicDemand, BearerDemand
from entrepot.testing.faults import Reply, header, status
from entrepot.testing.origins import Origin, Seen
from entrepot.testing.upstreams import TestUpstream
from tests.unit.upstream.conftest import NAME, TAG, Connect

USER, PASSWORD = "planted-user", "planted-password"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode())


class Thief:
    """Another host, as seen from the upstream: takes everything, answers like a token service, and keeps it all."""

    def __init__(self) -> None:
        self.origin = Origin(self._answer)

    def _answer(self, seen: Seen) -> Reply:
        return Reply(200, (("Content-Type", "application/json"),), b'{"token":"stolen"}')

    @property
    def port(self) -> int:
        return self.origin.port

    def has_stolen(self) -> bool:
        """Whether anything secret arrived, in whatever form."""
        seen = bytes(self.origin.received)
        return any(secret in seen for secret in (USER.encode(), PASSWORD.encode(), BASIC, b"uthorization"))


@pytest.fixture
async def thief() -> AsyncIterator[Thief]:
    """A second listener that must not see any secret."""
    taker = Thief()
    async with AsyncExitStack() as running:
        await taker.origin.start()
        running.push_async_callback(taker.origin.stop)
        yield taker


HOSTILE_REALMS = {
    "another port of the same address": "http://127.0.0.1:{thief}/token",
    "the address in decimal": "http://2130706433:{thief}/token",
    "the address in hexadecimal": "http://0x7f.0.0.1:{thief}/token",
    "the address in octal": "http://0177.0.0.1:{thief}/token",
    "the short address": "http://127.1:{thief}/token",
    "the address within IPv6": "http://[::ffff:127.0.0.1]:{thief}/token",
    "another address of this machine": "http://127.0.0.2:{thief}/token",
    "localhost": "http://localhost:{thief}/token",
    "any address": "http://0.0.0.0:{thief}/token",
    "the upstream as user name": "http://127.0.0.1:{own}@127.0.0.1:{thief}/token",
    "a user name at the upstream": "http://user:pass@127.0.0.1:{own}/token",
    "a backslash": "http://127.0.0.1:{thief}\\@127.0.0.1:{own}/token",
    "a fragment": "http://127.0.0.1:{thief}#@127.0.0.1:{own}/token",
    "a query": "http://127.0.0.1:{thief}?@127.0.0.1:{own}/token",
    "a metadata service": "http://169.254.169.254/latest/meta-data/iam/",
    "a host that only looks alike": "http://127.0.0.1.evil.invalid:{thief}/token",
    "another scheme": "ftp://127.0.0.1:{own}/token",
    "no host": "/token",
    "no scheme": "//127.0.0.1:{thief}/token",
    "nothing": "",
}


@pytest.mark.parametrize("realm", HOSTILE_REALMS.values(), ids=HOSTILE_REALMS.keys())
@pytest.mark.parametrize("account", [("", ""), (USER, PASSWORD)], ids=["anonymous", "with an account"])
async def test_hostile_realms(
    upstream: TestUpstream, connect: Connect, thief: Thief, realm: str, account: tuple[str, str]
) -> None:
    """A realm that is not the upstream's own is not even connected to (CVE-2026-33540)."""
    named = realm.format(thief=thief.port, own=upstream.origin.port)
    upstream.misbehave(status(401, WWW_Authenticate=f'Bearer realm="{_quoted(named)}",service="s"'), path="/v2/")
    with pytest.raises(UpstreamFailed):
        await connect(*account).resolve(NAME, TAG)

    assert thief.origin.connections == 0
    assert PASSWORD.encode() not in upstream.origin.received
    assert BASIC not in upstream.origin.received


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_token_service_redirects(upstream: TestUpstream, connect: Connect, thief: Thief, code: int) -> None:
    """A token service that redirects is not followed, with or without credentials."""
    upstream.demand = BearerDemand(USER, PASSWORD)
    upstream.misbehave(status(code, Location=f"http://127.0.0.1:{thief.port}/token"), path="/token")
    with pytest.raises(UpstreamFailed):
        await connect(USER, PASSWORD).resolve(NAME, TAG)

    assert thief.origin.connections == 0


@pytest.mark.parametrize("demand", [BasicDemand(USER, PASSWORD), BearerDemand(USER, PASSWORD)], ids=["Basic", "Bearer"])
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirected_elsewhere(
    upstream: TestUpstream, connect: Connect, thief: Thief, demand: BasicDemand | BearerDemand, code: int
) -> None:
    """What is redirected to another origin arrives there, and no credential with it."""
    upstream.demand = demand
    client = connect(USER, PASSWORD)
    upstream.add_image(NAME, TAG, images.image())
    await client.resolve(NAME, TAG)  # so that the credentials are known and sent unasked
    upstream.misbehave(status(code, Location=f"http://127.0.0.1:{thief.port}/elsewhere"), path="/v2/")
    upstream.misbehave(header("Docker-Content-Digest", str(Digest.of(b"content"))))
    digest = await client.resolve(NAME, TAG)
    await client.stat_blob(NAME, digest)
    async with client.blob(NAME, digest) as download:
        assert b"".join([bytes(chunk) async for chunk in download.chunks]) == b'{"token":"stolen"}'

    assert len(thief.origin.requests) >= 3
    assert not thief.has_stolen()
    assert b"uthorization" in upstream.origin.received


@pytest.mark.parametrize("demand", [BasicDemand(USER, PASSWORD), BearerDemand(USER, PASSWORD)], ids=["Basic", "Bearer"])
async def test_a_list_that_goes_on_elsewhere(
    upstream: TestUpstream, connect: Connect, demand: BasicDemand | BearerDemand
) -> None:
    """Where a redirect leads may have further pages; they are asked for without credentials."""
    upstream.demand = demand
    upstream.add_image(NAME, TAG, images.image())
    client = connect(USER, PASSWORD)
    await client.resolve(NAME, TAG)  # so that the credentials are known and sent unasked
    pages = iter([b'{"tags": ["a"]}', b'{"tags": ["b"]}'])
    elsewhere = Origin(lambda _: Reply(200, (("Link", '</more>; rel="next"'),), next(pages, b'{"tags": []}')))
    await elsewhere.start()
    upstream.misbehave(status(307, Location=f"{elsewhere.url}/list"), path="/tags/list")
    try:
        assert list((await client.tags(NAME, "", 2)).items) == ["a", "b"]
    finally:
        await elsewhere.stop()

    assert len(elsewhere.requests) == 2
    assert b"uthorization" not in elsewhere.received


async def test_redirected_elsewhere_and_back(upstream: TestUpstream, connect: Connect, thief: Thief) -> None:
    """A detour through another origin costs the credentials for good: on the way back there are none."""
    upstream.demand = BasicDemand(USER, PASSWORD)
    digest = upstream.add_blob(NAME, b"content")
    client = connect(USER, PASSWORD)
    await client.stat_blob(NAME, digest)
    back = Origin(lambda seen: Reply(307, (("Location", f"{upstream.url}/back"),)))
    await back.start()
    upstream.misbehave(status(307, Location=back.url), path="/v2/")
    upstream.misbehave(status(200, b"content"), path="/back")
    try:
        async with client.blob(NAME, digest) as download:
            assert b"".join([bytes(chunk) async for chunk in download.chunks]) == b"content"
    finally:
        await back.stop()

    assert [(seen.path, "authorization" in seen.headers) for seen in upstream.origin.requests[-2:]] == [
        (f"/v2/{NAME}/blobs/{digest}", True),
        ("/back", False),
    ]
    assert b"uthorization" not in back.received


async def test_challenged_where_a_redirect_led(upstream: TestUpstream, connect: Connect) -> None:
    """Another origin that challenges, naming itself or the upstream as realm, gets nothing."""
    upstream.demand = BearerDemand(USER, PASSWORD)
    greedy = Origin(lambda seen: Reply(401, (("WWW-Authenticate", 'Basic realm="x"'),)))
    await greedy.start()
    upstream.misbehave(status(307, Location=f"{greedy.url}/x"), path="/v2/", times=None)
    try:
        with pytest.raises(UpstreamFailed):
            await connect(USER, PASSWORD).resolve(NAME, TAG)
    finally:
        await greedy.stop()

    assert len(greedy.requests) == 1
    assert b"uthorization" not in greedy.received


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{thief}@10.0.0.1/",
        "http://10.0.0.1:{thief}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://metadata.google.internal/",
        "http://user:pass@127.0.0.1:{thief}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{thief}/",
        "ftp://127.0.0.1:{thief}/",
        "http://127.0.0.1:{thief}/" + "x" * 20_000,
    ],
)
async def test_redirected_where_it_may_not(
    upstream: TestUpstream, connect: Connect, thief: Thief, location: str
) -> None:
    """Targets that no redirect may have are not connected to."""
    upstream.misbehave(status(307, Location=location.format(thief=thief.port)))
    with pytest.raises(UpstreamFailed, match=r"may not|usable"):
        await connect(USER, PASSWORD).resolve(NAME, TAG)

    assert thief.origin.connections == 0


async def test_no_account_no_password(upstream: TestUpstream, connect: Connect) -> None:
    """An anonymous client has nothing to send."""
    upstream.demand = BasicDemand(USER, PASSWORD)
    with pytest.raises(Unauthorized):
        await connect().resolve(NAME, TAG)

    assert b"uthorization" not in upstream.origin.received


async def test_a_password_is_not_sent_unasked(upstream: TestUpstream, connect: Connect) -> None:
    """An upstream that wants no credentials sees none."""
    upstream.add_image(NAME, TAG, images.image())
    await connect(USER, PASSWORD).resolve(NAME, TAG)

    assert b"uthorization" not in upstream.origin.received


async def test_a_token_service_of_its_own_sees_the_password_alone(upstream: TestUpstream, connect: Connect) -> None:
    """With tokens, the password goes to the token service only, and the registry sees the token only."""
    upstream.demand = BearerDemand(USER, PASSWORD)
    upstream.add_image(NAME, TAG, images.image())
    await connect(USER, PASSWORD).resolve(NAME, TAG)
    schemes = [(seen.path, seen.headers.get("authorization", "").split(" ")[0]) for seen in upstream.origin.requests]

    assert schemes == [
        ("/v2/library/busybox/manifests/1", ""),
        ("/token", "Basic"),
        ("/v2/library/busybox/manifests/1", "Bearer"),
    ]


async def test_secrets_stay_out_of_logs_and_errors(
    upstream: TestUpstream, connect: Connect, thief: Thief, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing that is logged or raised holds a password, a token or a signed URL."""
    upstream.demand = demand = BearerDemand(USER, PASSWORD)
    digest = upstream.add_blob(NAME, b"content")
    upstream.redirects_blobs = True
    client = connect(USER, PASSWORD)
    await client.stat_blob(NAME, digest)
    await upstream.cdn.stop()
    with pytest.raises(UpstreamFailed) as unreachable:
        async with client.blob(NAME, digest):
            pass
    await upstream.cdn.start()
    upstream.misbehave(status(307, Location=f"http://10.0.0.1:{thief.port}/?signature=planted"), path="/blobs/")
    with pytest.raises(UpstreamFailed) as refused:
        await client.stat_blob(NAME, digest)
    written = "".join(capfd.readouterr())
    shown = f"{unreachable.value!r} {unreachable.value} {refused.value!r} {refused.value} {client!r} {written}"

    assert "upstream_redirect_refused" in written
    for secret in (PASSWORD, BASIC.decode(), "signature", *demand.tokens):
        assert secret not in shown
