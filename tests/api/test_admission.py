"""What a registry admits: foreign layers by `validation.manifests.urls`, classes by `policy.repository.classes`."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from entrepot.testing.images import (
    DOCKER,
    DOCKER_FOREIGN,
    OCI_LAYER_GZIP,
    OCI_NONDISTRIBUTABLE,
    SampleManifest,
    artifact,
    image,
    index,
    layer,
    plugin,
    random_blob,
)
from tests.api.checks import check_refusal
from tests.conftest import Serve
from tests.repositories import Repository
from tests.servers import IN_MEMORY, merge

DEFAULT: Mapping[str, Any] = {}
OFF = {"validation": {"disabled": True}}
EMPTY: Mapping[str, Any] = {"validation": {"manifests": {"urls": {"allow": [], "deny": []}}}}
ALLOW = {"validation": {"manifests": {"urls": {"allow": ["^https?://([^/]+\\.)*example\\.com/", "^https://b\\."]}}}}
DENY = {"validation": {"manifests": {"urls": {"deny": ["^https?://bad\\."]}}}}
BOTH = {"validation": {"manifests": {"urls": {"allow": ["example\\.com"], "deny": ["secret", "private"]}}}}

GOOD_URL = "https://www.example.com/layer"

URLS = [
    (DEFAULT, GOOD_URL, False),
    (EMPTY, GOOD_URL, False),
    (OFF, GOOD_URL, True),
    (OFF, "http://anything.example/x", True),
    (OFF, "ftp://example.com/x", False),
    (OFF, "file:///etc/passwd", False),
    (OFF, "//example.com/x", False),
    (OFF, "/x", False),
    (OFF, "", False),
    (OFF, "https://example.com/x#fragment", False),
    (OFF, "https://[broken", False),
    (ALLOW, GOOD_URL, True),
    (ALLOW, "http://example.com/x", True),
    (ALLOW, "https://b.org/x", True),
    (ALLOW, "https://example.org/x", False),
    (ALLOW, "https://example.com.evil.org/x", False),
    (ALLOW, "https://example.com/x#fragment", False),
    (DENY, GOOD_URL, True),
    (DENY, "https://bad.example.com/x", False),
    (BOTH, GOOD_URL, True),
    (BOTH, "https://example.com/secret", False),
    (BOTH, "https://example.com/private/x", False),
    (BOTH, "https://example.org/x", False),
]


class Registries:
    """One server for each configuration, begun when it is first asked for."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._begun: dict[str, Repository] = {}

    def repository(self, settings: Mapping[str, Any]) -> Repository:
        """A fresh repository of the server with these settings."""
        key = str(settings)
        if key not in self._begun:
            self._begun[key] = Repository(self._serve(merge(IN_MEMORY, settings)).client())
        return self._begun[key].sibling()

    def close(self) -> None:
        for repository in self._begun.values():
            repository.client.close()


@pytest.fixture(scope="module")
def registries(serve: Serve) -> Iterator[Registries]:
    """Servers for this module."""
    begun = Registries(serve)
    yield begun
    begun.close()


def with_foreign_layer(media_type: str, urls: list[str]) -> SampleManifest:
    """An image one layer of which is not to be pushed."""
    form = DOCKER if media_type == DOCKER_FOREIGN else None
    made = image(1, form) if form is not None else image(1)
    foreign = random_blob(media_type=media_type)
    layers = [*made.members["layers"], foreign.descriptor(**({"urls": urls} if urls else {}))]
    return made.with_members(layers=layers)


FOREIGN = [DOCKER_FOREIGN, OCI_NONDISTRIBUTABLE, f"{OCI_NONDISTRIBUTABLE}+gzip"]


@pytest.mark.parametrize("media_type", FOREIGN)
@pytest.mark.parametrize(("settings", "url", "admitted"), URLS, ids=range(len(URLS)))
def test_url_of_a_foreign_layer(
    registries: Registries, settings: Mapping[str, Any], url: str, admitted: bool, media_type: str
) -> None:
    """A layer that lies elsewhere is admitted, without being pushed, if all of its URLs are."""
    repository = registries.repository(settings)
    made = with_foreign_layer(media_type, [url])
    repository.push_blobs(made)

    answer = repository.put_manifest("latest", made)

    if admitted:
        assert answer.status_code == 201, answer.text
    else:
        check_refusal(answer, 400, "MANIFEST_INVALID")


def test_one_bad_url_among_good_ones(registries: Registries) -> None:
    """Every URL of a layer must be admitted."""
    repository = registries.repository(ALLOW)
    made = with_foreign_layer(DOCKER_FOREIGN, [GOOD_URL, "https://example.org/x"])
    repository.push_blobs(made)

    check_refusal(repository.put_manifest("latest", made), 400, "MANIFEST_INVALID")


@pytest.mark.parametrize("media_type", [OCI_LAYER_GZIP, DOCKER.layer])
def test_ordinary_layer_with_urls(registries: Registries, media_type: str) -> None:
    """URLs on a layer of an ordinary type are checked as well, and do not spare the push of the layer."""
    repository = registries.repository(ALLOW)
    made = image([layer(media_type=media_type)])
    [only] = made.blobs[1:]
    with_urls = made.with_members(layers=[only.descriptor(urls=[GOOD_URL])])
    repository.push_blob(made.blobs[0])

    check_refusal(repository.put_manifest("latest", with_urls), 400, "MANIFEST_BLOB_UNKNOWN")
    repository.push_blob(only)
    assert repository.put_manifest("latest", with_urls).status_code == 201
    wrong = made.with_members(layers=[only.descriptor(urls=["https://example.org/"])])
    check_refusal(repository.put_manifest("latest", wrong), 400, "MANIFEST_INVALID")


def test_slow_pattern_is_no_trap(registries: Registries) -> None:
    """R31: a URL made to defeat backtracking is answered at once."""
    settings = {"validation": {"manifests": {"urls": {"allow": ["^https://([a-z0-9]+\\.)*example\\.com/"]}}}}
    repository = registries.repository(settings)
    made = with_foreign_layer(DOCKER_FOREIGN, [f"https://{'a.' * 500}{'a' * 100_000}!"])
    repository.push_blobs(made)

    check_refusal(repository.put_manifest("latest", made), 400, "MANIFEST_INVALID")


IMAGES_ONLY = {"policy": {"repository": {"classes": ["image"]}}}
PLUGINS_ONLY = {"policy": {"repository": {"classes": ["plugin"]}}}
BOTH_CLASSES = {"policy": {"repository": {"classes": ["image", "plugin"]}}}

MADE = {
    "docker image": image(form=DOCKER),
    "oci image": image(),
    "docker plugin": plugin(),
    "artifact": artifact("application/vnd.example.thing"),
}

CLASSES = [
    (DEFAULT, "docker image", True),
    (DEFAULT, "docker plugin", True),
    (DEFAULT, "artifact", True),
    (IMAGES_ONLY, "docker image", True),
    (IMAGES_ONLY, "oci image", True),
    (IMAGES_ONLY, "docker plugin", False),
    (IMAGES_ONLY, "artifact", False),
    (PLUGINS_ONLY, "docker image", False),
    (PLUGINS_ONLY, "oci image", False),
    (PLUGINS_ONLY, "docker plugin", True),
    (BOTH_CLASSES, "docker plugin", True),
    (BOTH_CLASSES, "artifact", False),
]


@pytest.mark.parametrize(("settings", "kind", "admitted"), CLASSES)
def test_class_of_a_manifest(registries: Registries, settings: Mapping[str, Any], kind: str, admitted: bool) -> None:
    """With classes given, only manifests of these are admitted; the class is that of the config."""
    repository = registries.repository(settings)
    made = MADE[kind]
    repository.push_blobs(made)

    for reference in ("latest", made.digest):
        answer = repository.put_manifest(reference, made)
        if admitted:
            assert answer.status_code == 201, answer.text
        else:
            check_refusal(answer, 403, "DENIED")
            assert repository.head(f"manifests/{made.digest}").status_code == 404


def test_index_has_no_class(registries: Registries) -> None:
    """Indexes and lists pass whatever classes are given."""
    repository = registries.repository(PLUGINS_ONLY)
    for form in (index([]), index([], DOCKER)):
        assert repository.put_manifest("latest", form).status_code == 201
