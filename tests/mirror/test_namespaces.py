"""Several upstreams behind one mirror of two workers, and repositories that live beside it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from entrepot.testing.images import SampleManifest, image
from entrepot.testing.upstreams import TestUpstream, ThreadedUpstream
from tests.mirror.serving import wait_until
from tests.repositories import Repository, error_codes
from tests.servers import Server

OWNER = "owner/app"


class Several:
    """A root and a further upstream, each with an image of its own under the same name."""

    def __init__(self, server: Server, root: TestUpstream, further: TestUpstream) -> None:
        self.server = server
        self.upstreams = {"root": root, "further": further}
        self.images: dict[str, SampleManifest] = {kind: image(1) for kind in self.upstreams}
        for kind, upstream in self.upstreams.items():
            upstream.add_image(OWNER, "latest", self.images[kind])

    def get(self, path: str, **headers: str) -> httpx.Response:
        """An answer on a connection of its own."""
        with self.server.client() as client:
            return client.get(f"/v2/{path}", headers=headers)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    """The further one is `ghcr.test`; what is of the team lives here."""
    with ThreadedUpstream() as root, ThreadedUpstream() as further:
        settings = {
            "proxy": {
                "remoteurl": root.url,
                "local": ["team/**"],
                "upstreams": [{"namespace": "ghcr.test", "remoteurl": further.url, "deny": ["secret/**"]}],
            }
        }
        directory: Path = tmp_path_factory.mktemp("several")
        with Server(directory, settings, prefix=("env", "ENTREPOT_WORKERS=2")) as server:
            yield Several(server, root, further)


@pytest.mark.parametrize(
    ("path", "headers", "kind"),
    [
        (f"{OWNER}/manifests/latest", {}, "root"),
        (f"{OWNER}/manifests/latest?ns=ghcr.test", {}, "further"),
        (f"ghcr.test/{OWNER}/manifests/latest", {}, "further"),
        (f"ghcr.test/{OWNER}/manifests/latest?ns=ghcr.test", {}, "further"),
        (f"{OWNER}/manifests/latest", {"Host": "ghcr.test"}, "further"),
    ],
)
def test_an_upstream_is_meant_by_path_by_ns_or_by_host(
    several: Several, path: str, headers: dict[str, str], kind: str
) -> None:
    """The same path is another image for another upstream: cold, warm, and again by digest."""
    made = several.images[kind]
    by_digest = path.replace("latest", made.digest)

    for asked in (path, path, by_digest, by_digest, by_digest):
        answer = several.get(asked, **headers)
        assert (answer.status_code, answer.content) == (200, made.content)
    other = several.images["root" if kind == "further" else "further"]
    assert several.get(path.replace("latest", other.digest), **headers).status_code == 404


def test_what_is_not_configured_is_refused(several: Several) -> None:
    """No upstream is asked for it."""
    asked = [upstream.count() for upstream in several.upstreams.values()]

    unknown, denied = several.get(f"{OWNER}/manifests/latest?ns=evil.test"), several.get("ghcr.test/secret/a/tags/list")

    assert (unknown.status_code, error_codes(unknown)) == (404, ["NAME_UNKNOWN"])
    assert (denied.status_code, error_codes(denied)) == (403, ["DENIED"])
    assert [upstream.count() for upstream in several.upstreams.values()] == asked


def test_a_list_has_the_name_that_was_asked_for(several: Several) -> None:
    """Not that under which it is kept."""
    assert several.get(f"{OWNER}/tags/list?ns=ghcr.test").json() == {"name": OWNER, "tags": ["latest"]}


def test_what_lives_here_is_pushed_and_never_fetched(several: Several) -> None:
    """And what is mirrored takes no writes."""
    made = image(1)
    asked = [upstream.count() for upstream in several.upstreams.values()]
    with several.server.client() as client:
        local = Repository(client, "team/app")
        local.push(made, "v1")
        assert local.get("manifests/v1").content == made.content
        assert local.get("manifests/never").status_code == 404
        assert [upstream.count() for upstream in several.upstreams.values()] == asked

        for name in (OWNER, f"ghcr.test/{OWNER}", "ghcr.test/team/app"):
            mirrored = Repository(client, name)
            for answer in (client.post(f"/v2/{name}/blobs/uploads/"), mirrored.put_manifest("v2", made)):
                assert (answer.status_code, error_codes(answer)) == (405, ["UNSUPPORTED"])


def test_what_is_mirrored_is_not_mounted(several: Several) -> None:
    """It may leave the cache; what is pushed must not depend on it."""
    blob = several.images["root"].blobs[0]
    assert several.get(f"{OWNER}/blobs/{blob.digest}").status_code == 200
    with several.server.client() as client:
        wait_until(lambda: client.head(f"/v2/{OWNER}/blobs/{blob.digest}").headers["X-Cache"] == "HIT")
        for source in ({"from": OWNER}, {}):
            answer = client.post("/v2/team/new/blobs/uploads/", params={"mount": blob.digest, **source})
            assert answer.status_code == 202
