"""Which path means what: read from the right, so that a repository may be called anything."""

import time
import tracemalloc

import pytest

from entrepot.api.routes import Kind, Target, match
from entrepot.oci.errors import NameInvalid
from entrepot.oci.names import RepositoryName

DIGEST = "sha256:" + "0" * 64
UPLOAD_ID = "b5e5b2f0-7d0a-4b39-9a25-6f1de2f2f0aa"
LONGEST = "a/" * 127 + "a"

ROUTES = [
    ("/v2/", Kind.BASE, "", ""),
    ("/v2/_catalog", Kind.CATALOG, "", ""),
    ("/v2/a/tags/list", Kind.TAGS, "a", ""),
    ("/v2/a/manifests/latest", Kind.MANIFEST, "a", "latest"),
    (f"/v2/a/manifests/{DIGEST}", Kind.MANIFEST, "a", DIGEST),
    (f"/v2/a/blobs/{DIGEST}", Kind.BLOB, "a", DIGEST),
    (f"/v2/a/referrers/{DIGEST}", Kind.REFERRERS, "a", DIGEST),
    ("/v2/a/blobs/uploads/", Kind.UPLOADS, "a", ""),
    ("/v2/a/blobs/uploads", Kind.UPLOADS, "a", ""),
    (f"/v2/a/blobs/uploads/{UPLOAD_ID}", Kind.UPLOAD, "a", UPLOAD_ID),
    # Repositories of several segments, up to the longest name.
    ("/v2/a/b/c/d/manifests/latest", Kind.MANIFEST, "a/b/c/d", "latest"),
    (f"/v2/{LONGEST}/tags/list", Kind.TAGS, LONGEST, ""),
    (f"/v2/{LONGEST}/blobs/uploads/{UPLOAD_ID}", Kind.UPLOAD, LONGEST, UPLOAD_ID),
    # Repositories that are called like parts of the API.
    ("/v2/tags/list/tags/list", Kind.TAGS, "tags/list", ""),
    ("/v2/tags/tags/list", Kind.TAGS, "tags", ""),
    ("/v2/a/manifests/tags/list", Kind.TAGS, "a/manifests", ""),
    ("/v2/manifests/manifests/manifests", Kind.MANIFEST, "manifests", "manifests"),
    ("/v2/foo/bar/manifests/manifests/tags", Kind.MANIFEST, "foo/bar/manifests", "tags"),
    ("/v2/a/manifests/latest/manifests/latest", Kind.MANIFEST, "a/manifests/latest", "latest"),
    ("/v2/a/blobs/manifests/blobs", Kind.MANIFEST, "a/blobs", "blobs"),
    ("/v2/a/tags/list/manifests/list", Kind.MANIFEST, "a/tags/list", "list"),
    ("/v2/uploads/blobs/uploads/", Kind.UPLOADS, "uploads", ""),
    ("/v2/blobs/blobs/uploads", Kind.UPLOADS, "blobs", ""),
    ("/v2/a/blobs/uploads/blobs/uploads/", Kind.UPLOADS, "a/blobs/uploads", ""),
    (f"/v2/a/blobs/uploads/blobs/{DIGEST}", Kind.BLOB, "a/blobs/uploads", DIGEST),
    (f"/v2/a/blobs/uploads/blobs/uploads/{UPLOAD_ID}", Kind.UPLOAD, "a/blobs/uploads", UPLOAD_ID),
    ("/v2/a/blobs/uploads/manifests/uploads", Kind.MANIFEST, "a/blobs/uploads", "uploads"),
    ("/v2/referrers/referrers/x", Kind.REFERRERS, "referrers", "x"),
    ("/v2/v2/manifests/v2", Kind.MANIFEST, "v2", "v2"),
    # Arguments are for their handlers to judge.
    ("/v2/a/manifests/_catalog", Kind.MANIFEST, "a", "_catalog"),
    ("/v2/a/manifests/..", Kind.MANIFEST, "a", ".."),
    ("/v2/a/manifests/%2e%2e", Kind.MANIFEST, "a", "%2e%2e"),
    ("/v2/a/blobs/sha257:0", Kind.BLOB, "a", "sha257:0"),
    ("/v2/a/blobs/uploads/..", Kind.UPLOAD, "a", ".."),
    ("/v2/a/manifests/é\n", Kind.MANIFEST, "a", "é\n"),
]

NOWHERE = [
    "",
    "/",
    "v2/",
    "/v2",
    "/v1/",
    "/V2/",
    "//v2/",
    "/v2//",
    "/v2/a",
    "/v2/a/",
    "/v2/a/b",
    "/v2/_catalog/",
    "/v2/_Catalog",
    "/v2/a/_catalog",
    "/v2/tags/list",
    "/v2/a/tags",
    "/v2/a/tags/",
    "/v2/a/tags/list/",
    "/v2/a/tags/latest",
    "/v2/a/manifests",
    "/v2/a/manifests/",
    "/v2/manifests/latest",
    f"/v2/blobs/{DIGEST}",
    "/v2/blobs/uploads/",
    "/v2/a/blobs",
    "/v2/a/blobs/",
    f"/v2/a/blob/{DIGEST}",
    "/v2/a/blobs/uploads//",
    f"/v2/a/blobs/uploads/{UPLOAD_ID}/",
    f"/v2/a/uploads/{UPLOAD_ID}",
    f"/v2/blobs/uploads/{UPLOAD_ID}",
    "/v2/a/referrers",
    "/v2/a/referrers/",
    "/v2/a/manifests/a/b",
    "/metrics",
    "/debug/health",
    "/v2/" + "/" * 8000,
]

BAD_NAMES = [
    "",
    "A",
    "a//b",
    "/a",
    "a/",
    "-a",
    "a-",
    ".a",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a..b",
    "a___b",
    "a b",
    "a\n",
    "a\0",
    "a%2fb",
    "é",
    "_catalog",
    "_layers",
    "a/_manifests",
    "h:5000/a",
    "a" * 256,
    LONGEST + "b",
    "a" * 8000,
]


@pytest.mark.parametrize(("path", "kind", "name", "argument"), ROUTES)
def test_a_path_names_one_thing(path: str, kind: Kind, name: str, argument: str) -> None:
    """Kind, repository and the last segment as it came."""
    assert match(path) == Target(kind, RepositoryName(name), argument)


@pytest.mark.parametrize("path", NOWHERE, ids=lambda path: ascii(path)[:40])
def test_any_other_path_names_nothing(path: str) -> None:
    """Trailing slashes, doubled ones and other spellings are no routes."""
    assert match(path) is None


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:30])
@pytest.mark.parametrize(
    "suffix", ["/tags/list", "/manifests/latest", f"/blobs/{DIGEST}", "/blobs/uploads/", f"/blobs/uploads/{UPLOAD_ID}"]
)
def test_a_route_with_a_bad_name_is_refused(name: str, suffix: str) -> None:
    """Before anything is done with it."""
    with pytest.raises(NameInvalid):
        match(f"/v2/{name}{suffix}")


@pytest.mark.parametrize(
    "path", ["/v2/" + "a/" * 4000, "/v2/a/manifests/" + "x" * 8000, "/v2/a/manifests/" + "é" * 4000]
)
def test_what_is_remembered_of_long_paths_is_nothing(path: str) -> None:
    """A client that makes up paths must not fill the memory of a worker with them."""
    tracemalloc.start()
    for number in range(1000):
        match(f"{path}{number}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 1 << 20


def test_hostile_paths_take_no_time() -> None:
    """A thousand of the longest a server takes, of every kind that could be read twice."""
    paths = [f"/v2/{'a-' * 2000}{number}/manifests/{'/blobs/uploads' * 200}" for number in range(1000)]
    begun = time.process_time()
    for path in paths:
        with pytest.raises(NameInvalid):
            match(path)

    assert time.process_time() - begun < 5
