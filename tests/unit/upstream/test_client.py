"""What an upstream that behaves is asked, and how its answers are read."""

import asyncio
import json
import os

import pytest

from entrepot.oci.descriptor import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, ManifestUnknown, NameUnknown
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.testing import images
from entrepot.testing.demands import BasicDemand, BearerDemand
from entrepot.testing.faults import added_header, body, chunked, header, status
from entrepot.testing.upstreams import CDN_PATH, TestUpstream
from entrepot.upstream.base import ABSENT, REFUSED, Upstream
from tests.unit.upstream.conftest import NAME, TAG, Connect, read_blob


async def test_it_is_an_upstream(connect: Connect) -> None:
    """The client has the port's shape."""
    client: Upstream = connect()

    assert client is not None


async def test_an_image_from_tag_to_bytes(upstream: TestUpstream, connect: Connect) -> None:
    """Tag, manifest, config and layers come as they are, with one request each."""
    image = images.image()
    expected = upstream.add_image(NAME, TAG, image)
    client = connect()
    digest = await client.resolve(NAME, TAG)
    fetched = await client.manifest(NAME, digest)

    assert digest == expected
    assert (fetched.media_type, fetched.content) == (OCI_MANIFEST, image.content)
    for blob in image.blobs:
        assert await client.stat_blob(NAME, Digest.parse(blob.digest)) == len(blob.content)
        assert await read_blob(client, Digest.parse(blob.digest)) == blob.content
    assert upstream.count() == 2 + 2 * len(image.blobs)
    assert [seen.method for seen in upstream.origin.requests[:2]] == ["HEAD", "GET"]


async def test_manifest_by_tag(upstream: TestUpstream, connect: Connect) -> None:
    """A tag can be fetched without resolving it first."""
    image = images.index()
    upstream.add_image(NAME, TAG, image)

    assert (await connect().manifest(NAME, TAG)).content == image.content


async def test_what_is_accepted(upstream: TestUpstream, connect: Connect) -> None:
    """A manifest is asked for by all four types and any other, unencoded, in our own name."""
    upstream.add_image(NAME, TAG, images.image())
    await connect().manifest(NAME, TAG)
    headers = upstream.origin.requests[0].headers

    assert headers["accept"].split(", ")[-1] == "*/*"
    assert {OCI_MANIFEST, OCI_INDEX, DOCKER_LIST} < set(headers["accept"].split(", "))
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("entrepot")
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (f"{OCI_INDEX}; charset=utf-8", OCI_INDEX),
        ("application/vnd.example.thing+json", "application/vnd.example.thing+json"),
        ("application/json", None),
        ("a\tb", None),
        (None, None),
    ],
)
async def test_media_type(upstream: TestUpstream, connect: Connect, sent: str | None, expected: str | None) -> None:
    """The media type comes without parameters; one that says nothing is none. The bytes stay as they are."""
    digest = upstream.add_manifest(NAME, b'{"any": "thing"}')
    upstream.misbehave(header("Content-Type", sent))
    fetched = await connect().manifest(NAME, digest)

    assert (fetched.media_type, fetched.content) == (expected, b'{"any": "thing"}')


async def test_absent(upstream: TestUpstream, connect: Connect) -> None:
    """What the upstream says it does not have is absent, not refused, and costs one request."""
    client, digest = connect(), Digest.of(b"nothing")
    upstream.add_image(NAME, TAG, images.image())
    for asking, error in (
        (client.resolve(NAME, Tag.parse("2")), ManifestUnknown),
        (client.manifest(NAME, Tag.parse("2")), ManifestUnknown),
        (client.manifest(NAME, digest), ManifestUnknown),
        (client.stat_blob(NAME, digest), BlobUnknown),
        (read_blob(client, digest), BlobUnknown),
        (client.tags(RepositoryName.parse("no/such"), "", None), NameUnknown),
    ):
        before = upstream.count()
        with pytest.raises(error) as refusal:
            await asking
        assert isinstance(refusal.value, ABSENT)
        assert not isinstance(refusal.value, REFUSED)
        assert upstream.count() == before + 1


@pytest.mark.parametrize("code", [400, 405, 501])
async def test_upstreams_that_take_no_head(upstream: TestUpstream, connect: Connect, code: int) -> None:
    """Where HEAD is refused, GET tells digest and size."""
    image = images.image()
    digest = upstream.add_image(NAME, TAG, image)
    upstream.misbehave(status(code), method="HEAD")

    assert await connect().resolve(NAME, TAG) == digest
    assert await connect().stat_blob(NAME, Digest.parse(image.blobs[0].digest)) == len(image.blobs[0].content)


async def test_absent_where_head_is_refused(upstream: TestUpstream, connect: Connect) -> None:
    """Where HEAD is refused, GET tells that there is nothing."""
    upstream.misbehave(status(405), method="HEAD")
    with pytest.raises(ManifestUnknown):
        await connect().resolve(NAME, TAG)
    with pytest.raises(BlobUnknown):
        await connect().stat_blob(NAME, Digest.of(b"nothing"))


@pytest.mark.parametrize("digest", [None, "sha256:junk", "sha256:..", "md5:" + "0" * 32, "\xff\xfe"])
async def test_head_without_a_digest(upstream: TestUpstream, connect: Connect, digest: str | None) -> None:
    """Where no answer names a digest that we know, it is computed from the manifest."""
    expected = upstream.add_image(NAME, TAG, images.image())
    upstream.misbehave(header("Docker-Content-Digest", digest))

    assert await connect().resolve(NAME, TAG) == expected
    assert [seen.method for seen in upstream.origin.requests] == ["HEAD", "GET"]


async def test_size_where_head_does_not_tell_it(upstream: TestUpstream, connect: Connect) -> None:
    """Without a length on HEAD the size is read from a GET of one byte, or of an answer that is not read."""
    digest, empty = upstream.add_blob(NAME, b"x" * 1_000_000), upstream.add_blob(NAME, b"")
    upstream.misbehave(chunked(), method="HEAD")

    assert await connect().stat_blob(NAME, digest) == 1_000_000
    assert await connect().stat_blob(NAME, empty) == 0
    upstream.answers_ranges = False
    assert await connect().stat_blob(NAME, digest) == 1_000_000


async def test_resuming(upstream: TestUpstream, connect: Connect) -> None:
    """A blob begins where it is asked to, and its whole size is told either way."""
    content = os.urandom(300_000)
    digest = upstream.add_blob(NAME, content)
    client = connect()
    for start in (0, 1, 299_999):
        async with client.blob(NAME, digest, start) as download:
            assert download.size == 300_000
            assert b"".join([bytes(chunk) async for chunk in download.chunks]) == content[start:]
    assert [seen.headers.get("range") for seen in upstream.origin.requests] == [None, "bytes=1-", "bytes=299999-"]


async def test_size_not_known(upstream: TestUpstream, connect: Connect) -> None:
    """A blob in chunks without a length comes too, its size unknown."""
    digest = upstream.add_blob(NAME, b"content")
    upstream.misbehave(chunked())
    async with connect().blob(NAME, digest) as download:
        assert download.size is None
        assert b"".join([bytes(chunk) async for chunk in download.chunks]) == b"content"


async def test_chunks_are_not_copied_small(upstream: TestUpstream, connect: Connect) -> None:
    """A large blob comes in pieces as large as the network brings them."""
    digest = upstream.add_blob(NAME, bytes(32 * 1024 * 1024))
    async with connect().blob(NAME, digest) as download:
        sizes = [len(chunk) async for chunk in download.chunks]

    assert sum(sizes) == 32 * 1024 * 1024
    assert max(sizes) > 64 * 1024


async def test_a_blob_behind_a_redirect(upstream: TestUpstream, connect: Connect) -> None:
    """Blobs on another origin are fetched and measured there, from any start."""
    content = os.urandom(100_000)
    digest = upstream.add_blob(NAME, content)
    upstream.redirects_blobs = True
    client = connect()

    assert await read_blob(client, digest) == content
    assert await read_blob(client, digest, 99_000) == content[99_000:]
    assert await client.stat_blob(NAME, digest) == 100_000
    assert len(upstream.cdn.requests) == 3


async def test_size_behind_a_signature_for_get_only(upstream: TestUpstream, connect: Connect) -> None:
    """A signed URL that refuses HEAD says nothing: the size is read with GET."""
    digest = upstream.add_blob(NAME, b"content")
    upstream.redirects_blobs = True
    upstream.misbehave(status(403), path=CDN_PATH, method="HEAD")

    assert await connect().stat_blob(NAME, digest) == 7


async def test_basic(upstream: TestUpstream, connect: Connect) -> None:
    """An upstream that wants a password gets it, unasked after the first challenge."""
    upstream.demand = BasicDemand("user", "password")
    digest = upstream.add_image(NAME, TAG, images.image())
    client = connect("user", "password")

    assert await client.resolve(NAME, TAG) == digest
    assert await client.resolve(NAME, TAG) == digest
    assert upstream.count() == 3


@pytest.mark.parametrize("account", [("", ""), ("user", "password")])
async def test_tokens(upstream: TestUpstream, connect: Connect, account: tuple[str, str]) -> None:
    """One token serves all requests for a repository; another repository gets its own, in advance."""
    upstream.demand = demand = BearerDemand(account[0] or None, account[1])
    image = images.image()
    upstream.add_image(NAME, TAG, image)
    upstream.add_image("library/alpine", TAG, image)
    client = connect(*account)
    await client.manifest(NAME, await client.resolve(NAME, TAG))
    await read_blob(client, Digest.parse(image.blobs[0].digest))
    await client.resolve(RepositoryName.parse("library/alpine"), TAG)

    assert demand.issued == 2
    assert upstream.count(path="/v2/") == 5
    assert {seen.query["scope"][0] for seen in upstream.origin.requests if seen.path == "/token"} == {
        "repository:library/busybox:pull",
        "repository:library/alpine:pull",
    }


async def test_a_token_that_expires_early(upstream: TestUpstream, connect: Connect) -> None:
    """When the upstream no longer takes a token, one new one is fetched for all who wait."""
    upstream.demand = demand = BearerDemand("user", "password")
    expected = upstream.add_image(NAME, TAG, images.image())
    client = connect("user", "password")
    await client.resolve(NAME, TAG)
    demand.expire()
    resolved = await asyncio.gather(*(client.resolve(NAME, TAG) for _ in range(20)))

    assert set(resolved) == {expected}
    assert demand.issued == 2


async def test_other_names_for_a_token(upstream: TestUpstream, connect: Connect) -> None:
    """`access_token` counts, and an answer without a lifetime."""
    upstream.demand = BearerDemand(member="access_token", expires_in=None)
    digest = upstream.add_image(NAME, TAG, images.image())

    assert await connect().resolve(NAME, TAG) == digest


async def test_connections_are_used_again(upstream: TestUpstream, connect: Connect) -> None:
    """Answers that nobody reads to the end, such as 404 and 401, do not cost their connections."""
    upstream.demand = BearerDemand()
    upstream.add_image(NAME, TAG, images.image())
    client = connect()
    for number in range(20):
        with pytest.raises(ManifestUnknown):
            await client.manifest(NAME, Tag.parse(f"no-{number}"))

    assert upstream.count() == 22
    assert upstream.origin.connections <= 3  # one that is just being put back does not count against us


async def test_tags(upstream: TestUpstream, connect: Connect) -> None:
    """Tags come page by page: all, so many, or those after one."""
    names = sorted(f"v{number:03}" for number in range(25))
    for name in names:
        upstream.add_manifest(NAME, b"{}", OCI_MANIFEST, name)
    client = connect()
    for page_size in (None, 7, 1):
        upstream.page_size = page_size

        assert await client.tags(NAME, "", None) == Page(names, more=False)
        assert await client.tags(NAME, "", 10) == Page(names[:10], more=True)
        assert await client.tags(NAME, names[9], 10) == Page(names[10:20], more=True)
        assert await client.tags(NAME, names[19], 10) == Page(names[20:], more=False)
        assert await client.tags(NAME, names[-1], 10) == Page([], more=False)
        assert await client.tags(NAME, "", 25) == Page(names, more=False)


@pytest.mark.parametrize(
    ("sent", "asked", "expected"),
    [
        (["c", "a", "b"], ("", None), Page(["c", "a", "b"], more=False)),
        (["c", "a", "b"], ("", 2), Page(["c", "a"], more=True)),
        (["c", "a", "b"], ("a", 2), Page(["b"], more=False)),
        (["a", "c"], ("b", None), Page(["c"], more=False)),
        (None, ("", None), Page([], more=False)),
        ([], ("", 5), Page([], more=False)),
        (["a", "../b", "", 1, None, "a b", "x" * 129], ("", None), Page(["a"], more=False)),
    ],
)
async def test_upstreams_that_know_no_pages(
    upstream: TestUpstream, connect: Connect, sent: object, asked: tuple[str, int | None], expected: Page[str]
) -> None:
    """Upstreams with an order of their own, without paging or with what is no tag are read all the same."""
    upstream.add_image(NAME, TAG, images.image())
    upstream.misbehave(body(json.dumps({"name": NAME, "tags": sent}).encode()), path="/tags/list")

    assert await connect().tags(NAME, *asked) == expected


async def test_more_links_than_one(upstream: TestUpstream, connect: Connect) -> None:
    """The next page is found among other Link lines."""
    for name in ("a", "b", "c"):
        upstream.add_manifest(NAME, b"{}", OCI_MANIFEST, name)
    upstream.page_size = 2
    upstream.misbehave(added_header("Link", '</style.css>; rel="preload"'))

    assert await connect().tags(NAME, "", None) == Page(["a", "b", "c"], more=False)


async def test_referrers(upstream: TestUpstream, connect: Connect) -> None:
    """Referrers come with their types and annotations, filtered whether or not the upstream does it."""
    image = images.image()
    digest = upstream.add_image(NAME, TAG, image)
    sbom = images.artifact("application/x.sbom", subject=image, annotations={"made": "by"})
    upstream.add_image(NAME, "sbom", sbom)
    upstream.add_image(NAME, "signature", images.artifact("application/x.signature", subject=image))
    client = connect()
    found = await client.referrers(NAME, digest, None)
    filtered = await client.referrers(NAME, digest, "application/x.sbom")

    assert {one.artifact_type for one in found or ()} == {"application/x.sbom", "application/x.signature"}
    assert [(one.digest, dict(one.annotations)) for one in filtered or ()] == [(sbom.digest, {"made": "by"})]
    assert await client.referrers(NAME, Digest.of(b"unknown"), None) == []


async def test_below_a_path(upstream: TestUpstream, connect: Connect) -> None:
    """A remote URL with a path and a final slash is asked below that path."""
    with pytest.raises(ManifestUnknown):
        await connect(url=f"{upstream.url}/mirror/hub/").resolve(NAME, TAG)

    assert upstream.origin.requests[0].path == "/mirror/hub/v2/library/busybox/manifests/1"


async def test_nothing_is_opened_before_it_is_needed(upstream: TestUpstream, connect: Connect) -> None:
    """Making a client asks nothing, whether or not the upstream is up."""
    connect("user", "password")
    connect(url="http://127.0.0.1:1")

    assert upstream.origin.connections == 0


async def test_closing_twice(upstream: TestUpstream, connect: Connect) -> None:
    """A client may be closed before its first call, and more than once."""
    client = connect()
    await client.close()
    await client.close()
