"""The habits of well-known registries, each against a small upstream that behaves so."""

import json

import pytest

from entrepot.oci.descriptor import OCI_MANIFEST
from entrepot.oci.digest import Digest
from entrepot.oci.errors import Denied, ManifestUnknown, TooManyRequests, Unauthorized
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.testing import images
from entrepot.testing.demands import BasicDemand, BearerDemand
from entrepot.testing.faults import Reply, body, header, status
from entrepot.testing.quirks import ExpiringPassword, PullLimit
from entrepot.testing.upstreams import CDN_PATH, TestUpstream
from entrepot.upstream.base import BrokeOff, Credentials
from tests.unit.upstream.conftest import NAME, TAG, Connect, read_blob


async def test_docker_hub_counts_manifests(upstream: TestUpstream, connect: Connect) -> None:
    """A tag costs a HEAD, which Docker Hub does not count, and its manifest one GET; then 429 means 429."""
    upstream.demand = limit = PullLimit(1, retry_after="9")
    digest = upstream.add_image(NAME, TAG, images.image())
    client = connect()
    for _ in range(5):
        assert await client.resolve(NAME, TAG) == digest
    assert limit.left == 1
    await client.manifest(NAME, digest)
    with pytest.raises(TooManyRequests) as refusal:
        await client.manifest(NAME, digest)

    assert dict(refusal.value.headers)["Retry-After"] == "9"


async def test_docker_hub_abuse_limit(upstream: TestUpstream, connect: Connect) -> None:
    """The limit by address strikes HEADs too, as plain text and without any number: it is kept all the same."""
    upstream.misbehave(status(429, b"Too Many Requests (HAP429).\n", Content_Type="text/plain"))
    client = connect()
    for _ in range(3):
        with pytest.raises(TooManyRequests):
            await client.resolve(NAME, TAG)

    assert upstream.count() == 1


async def test_docker_hub_has_no_referrers(upstream: TestUpstream, connect: Connect) -> None:
    """404 for the API is no referrers, not an error; only the tag is looked for, without a counted pull."""
    upstream.demand = limit = PullLimit(1)
    upstream.has_referrers = False

    assert await connect().referrers(NAME, Digest.of(b"any"), None) == []
    assert limit.left == 1


async def test_signed_redirects(upstream: TestUpstream, connect: Connect) -> None:
    """Object stores refuse a request with two ways to authenticate: what is redirected comes without ours."""
    upstream.demand = BearerDemand("user", "planted")
    digest = upstream.add_blob(NAME, b"content")
    upstream.redirects_blobs = True

    assert await read_blob(connect("user", "planted"), digest) == b"content"
    assert b"uthorization" not in upstream.cdn.received


async def test_signatures_cover_the_method(upstream: TestUpstream, connect: Connect) -> None:
    """A URL that was signed for GET refuses HEAD with 403, which says nothing of the blob."""
    digest = upstream.add_blob(NAME, b"content")
    upstream.redirects_blobs = upstream.signs_get_only = True

    assert await connect().stat_blob(NAME, digest) == 7
    assert [seen.method for seen in upstream.cdn.requests] == ["HEAD", "GET"]


async def test_ghcr_placeholder_scope(upstream: TestUpstream, connect: Connect) -> None:
    """GHCR's challenge names a scope of no meaning: the repository's own is asked for, and pull only."""
    upstream.demand = BearerDemand(scope="repository:user/image:pull")
    digest = upstream.add_image(NAME, TAG, images.image())

    assert await connect().resolve(NAME, TAG) == digest
    (asked,) = (seen for seen in upstream.origin.requests if seen.path == "/token")
    assert asked.query["scope"] == [f"repository:{NAME}:pull"]


async def test_ghcr_denies_what_is_not_there(upstream: TestUpstream, connect: Connect) -> None:
    """403 for a package that does not exist is no 404, and no new token is fetched for it."""
    upstream.demand = demand = BearerDemand()
    upstream.add_image(NAME, TAG, images.image())
    client = connect()
    await client.resolve(NAME, TAG)
    upstream.misbehave(status(403, b'{"errors":[{"code":"DENIED"}]}'), path="/manifests/no-such")
    for _ in range(3):
        with pytest.raises(Denied):
            await client.resolve(NAME, Tag.parse("no-such"))

    assert demand.issued == 1


async def test_quay_wants_authorization_for_what_is_not_there(upstream: TestUpstream, connect: Connect) -> None:
    """401, with a fresh challenge each time, for an unknown public repository ends in Unauthorized, after one token."""
    upstream.demand = demand = BearerDemand(path="/v2/auth")
    upstream.add_image(NAME, TAG, images.image())
    client, unknown = connect(), RepositoryName.parse("no/such")
    assert await client.resolve(NAME, TAG)
    challenge = f'Bearer realm="{upstream.url}/v2/auth",service="test-upstream",scope="repository:no/such:pull"'
    upstream.misbehave(status(401, WWW_Authenticate=challenge), path="/v2/no/such/")
    for _ in range(2):
        with pytest.raises(Unauthorized):
            await client.resolve(unknown, TAG)

    assert demand.issued <= 5
    assert await client.resolve(NAME, TAG)


class Rotating:
    """Credentials that are made anew only when the ones before were refused, as an ECR token is."""

    def __init__(self) -> None:
        self.number = 1

    async def credentials(self, host: str) -> Credentials | None:
        return Credentials("AWS", f"token-{self.number}")

    def refused(self, credentials: Credentials) -> None:
        self.number += 1


async def test_ecr_answers_403_when_a_password_expired(upstream: TestUpstream, connect: Connect) -> None:
    """A plain text 403 to a password makes us look for a newer one, within the same question."""
    upstream.demand = demand = ExpiringPassword("AWS", "token-1")
    digest = upstream.add_image(NAME, TAG, images.image())
    client = connect(credentials=Rotating())
    assert await client.resolve(NAME, TAG) == digest
    demand.change("token-2")

    assert await client.resolve(NAME, TAG) == digest
    assert await client.resolve(NAME, TAG) == digest
    assert upstream.count() == 5  # challenge, answer; 403, answer; answer


async def test_a_password_that_may_not(upstream: TestUpstream, connect: Connect) -> None:
    """Where there is no newer password, 403 is asked for once and means 403."""
    upstream.demand = BasicDemand("user", "password")
    upstream.add_image(NAME, TAG, images.image())
    client = connect("user", "password")
    await client.resolve(NAME, TAG)
    upstream.misbehave(status(403))
    with pytest.raises(Denied):
        await client.resolve(NAME, TAG)

    assert upstream.count() == 3


async def test_gar_lists_more_than_tags(upstream: TestUpstream, connect: Connect) -> None:
    """GCR and GAR add maps of manifests and children to a list of tags."""
    listed = {
        "child": [],
        "manifest": {str(Digest.of(b"x")): {"imageSizeBytes": "1", "tag": ["1"], "timeCreatedMs": "0"}},
        "name": NAME,
        "tags": ["1", "2"],
    }
    upstream.add_image(NAME, TAG, images.image())
    upstream.misbehave(body(json.dumps(listed).encode()), path="/tags/list")

    assert await connect().tags(NAME, "", None) == Page(["1", "2"], more=False)


@pytest.mark.parametrize("username", ["_json_key", "oauth2accesstoken", "00000000-0000-0000-0000-000000000000"])
async def test_odd_user_names(upstream: TestUpstream, connect: Connect, username: str) -> None:
    """A password may be a whole JSON document, with colons, quotes, lines and letters beyond ASCII."""
    password = json.dumps({"type": "service_account", "private_key": "a\nb:c=", "name": "é"}, indent=1)
    upstream.demand = BearerDemand(username, password)
    digest = upstream.add_image(NAME, TAG, images.image())

    assert await connect(username, password).resolve(NAME, TAG) == digest


async def test_k8s_redirects_elsewhere_each_time(upstream: TestUpstream, connect: Connect) -> None:
    """registry.k8s.io sends each request to another place, from the first byte or from the middle."""
    content = bytes(range(256)) * 100
    digest = upstream.add_blob(NAME, content)
    upstream.redirects_blobs = True
    others = [await upstream.add_cdn() for _ in range(3)]
    client = connect()
    for start in (0, 1, 1000, 25_599):
        assert await read_blob(client, digest, start) == content[start:]

    assert [len(cdn.requests) for cdn in (upstream.cdn, *others)] == [1, 1, 1, 1]


async def test_k8s_redirects_manifests(upstream: TestUpstream, connect: Connect) -> None:
    """Tags and manifests may be redirected too: digest and bytes are read there."""
    image = images.image()
    digest = upstream.add_image(NAME, TAG, image)
    async with TestUpstream() as other:
        other.add_image(NAME, TAG, image)
        for reference in (TAG, digest):
            location = f"{other.url}/v2/{NAME}/manifests/{reference}"
            upstream.misbehave(status(307, Location=location), path=f"/manifests/{reference}")

        assert await connect().resolve(NAME, TAG) == digest
        assert (await connect().manifest(NAME, digest)).content == image.content


async def test_acr_paths_and_two_challenges(upstream: TestUpstream, connect: Connect) -> None:
    """ACR offers Bearer, from /oauth2/token, and Basic: Bearer is taken where the token service gives one."""
    upstream.demand = demand = BearerDemand(
        "user", "planted", path="/oauth2/token", offers_basic=True, member="access_token", expires_in=10_800
    )
    digest = upstream.add_image(NAME, TAG, images.image())

    assert await connect("user", "planted").resolve(NAME, TAG) == digest
    assert demand.issued == 1


async def test_acr_token_credentials_that_only_basic_takes(upstream: TestUpstream, connect: Connect) -> None:
    """Where the token service refuses the account, the password itself is offered."""
    upstream.demand = BearerDemand("user", "planted", path="/oauth2/token", offers_basic=True)
    upstream.misbehave(status(401), path="/oauth2/token")
    digest = upstream.add_image(NAME, TAG, images.image())
    client = connect("user", "planted")
    for _ in range(3):
        assert await client.resolve(NAME, TAG) == digest

    assert upstream.count(path="/oauth2/token") == 1


async def test_acr_tokens_are_for_one_repository(upstream: TestUpstream, connect: Connect) -> None:
    """A token for one repository is `insufficient_scope` for another: each gets its own, nothing is asked twice."""
    upstream.demand = demand = BearerDemand()
    client, other = connect(), RepositoryName.parse("library/alpine")
    for name in (NAME, other, NAME, other):
        upstream.add_image(name, TAG, images.image())
        await client.resolve(name, TAG)

    assert demand.issued == 2
    assert upstream.count(path="/v2/") == 5


async def test_mcr_is_anonymous_and_pages(upstream: TestUpstream, connect: Connect) -> None:
    """MCR gives all without a token, blobs from another host, and long lists in pages that name the next."""
    names = [f"v{number:04}" for number in range(2500)]
    for name in names:
        upstream.add_manifest(NAME, b"{}", OCI_MANIFEST, name)
    upstream.page_size = 500
    digest = upstream.add_blob(NAME, b"content")
    upstream.redirects_blobs = True
    client = connect()

    assert await client.tags(NAME, "", None) == Page(names, more=False)
    assert await read_blob(client, digest) == b"content"
    assert upstream.count(path="/token") == 0


@pytest.mark.parametrize("path", ["/service/token", "/artifactory/api/docker/hub/v2/token", "/repository/v2/token"])
async def test_token_services_on_other_paths(upstream: TestUpstream, connect: Connect, path: str) -> None:
    """Harbor, Artifactory and Nexus have theirs elsewhere on the same host."""
    upstream.demand = BearerDemand("user", "planted", path=path)
    digest = upstream.add_image(NAME, TAG, images.image())

    assert await connect("user", "planted").resolve(NAME, TAG) == digest


async def test_artifactory_wants_basic(upstream: TestUpstream, connect: Connect) -> None:
    """A realm of Basic authentication is a name, not a URL, and is not asked anything."""
    upstream.demand = BasicDemand("user", "planted")
    upstream.misbehave(header("WWW-Authenticate", 'Basic realm="Artifactory Realm"'), times=1)
    digest = upstream.add_image(NAME, TAG, images.image())

    assert await connect("user", "planted").resolve(NAME, TAG) == digest


async def test_github_enterprise_takes_no_head(upstream: TestUpstream, connect: Connect) -> None:
    """405 to HEAD of a manifest: GET tells the digest, or that there is no such tag."""
    digest = upstream.add_image(NAME, TAG, images.image())
    upstream.misbehave(status(405), method="HEAD", path="/manifests/")

    assert await connect().resolve(NAME, TAG) == digest
    with pytest.raises(ManifestUnknown):
        await connect().resolve(NAME, Tag.parse("2"))


async def test_mcr_cuts_slow_readers_short(upstream: TestUpstream, connect: Connect) -> None:
    """An answer that ends before its Content-Length is no blob, however properly the connection was closed."""
    content = bytes(100_000)
    digest = upstream.add_blob(NAME, content)
    upstream.redirects_blobs = True

    def short(reply: Reply) -> Reply:
        return Reply(200, (("Content-Length", "100000"), ("Connection", "close")), content[:65_536], framing="close")

    upstream.misbehave(short, path=CDN_PATH, times=1)
    client = connect()
    with pytest.raises(BrokeOff):
        await read_blob(client, digest)

    assert await read_blob(client, digest, 65_536) == content[65_536:]
