"""What a manifest must satisfy: the URLs its layers may name, the classes a registry takes, and what must be there."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from entrepot.driver import Driver
from entrepot.drivers.memory import MemoryDriver
from entrepot.oci.descriptor import OCI_INDEX
from entrepot.oci.digest import Digest
from entrepot.oci.errors import Denied, Errors, ManifestBlobUnknown, ManifestInvalid, RegistryError
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from entrepot.testing.images import (
    DOCKER,
    DOCKER_FOREIGN,
    OCI,
    OCI_NONDISTRIBUTABLE,
    Form,
    SampleManifest,
    artifact,
    config,
    image,
    index,
    layer,
    manifest,
    plugin,
)
from entrepot.testing.registry_contents import push, upload

APP = RepositoryName.parse("library/app")
LATEST = Tag.parse("latest")
EXAMPLE = "https://example.com/layer"


def rules(*, allow: str | None = None, deny: str | None = None, checked: bool = True) -> Rules:
    """URL rules as the configuration makes them."""
    patterns = [None if text is None else re.compile(text) for text in (allow, deny)]
    return Rules(urls_checked=checked, allow=patterns[0], deny=patterns[1])


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        (rules(checked=False), [EXAMPLE, "http://a", "http://user@a:80/b?c=d"], []),
        (rules(), [], [EXAMPLE, "http://a"]),
        (rules(allow="^https://example[.]com/"), [EXAMPLE], ["http://example.com/layer", "https://evil.com/"]),
        (rules(allow="example"), [EXAMPLE, "http://evil.com/example"], ["http://a"]),
        (rules(deny="evil"), [EXAMPLE], ["https://evil.com/", "https://example.com/evil"]),
        (
            rules(allow="example", deny="evil"),
            [EXAMPLE],
            ["https://example.evil.com/", "https://evil.com/", "http://a"],
        ),
        (rules(allow="^$"), [], [EXAMPLE]),
    ],
)
def test_a_url_must_be_allowed_and_not_denied(rule: Rules, allowed: list[str], refused: list[str]) -> None:
    """By patterns that are searched for anywhere; without any list nothing passes, as in Distribution."""
    assert [rule.allows_url(url) for url in allowed] == [True] * len(allowed)
    assert [rule.allows_url(url) for url in refused] == [False] * len(refused)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/path",
        "//example.com/",
        "example.com/layer",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https:///path",
        "https://",
        "https://example.com/#fragment",
        "http://[::1",
        "https://example.com/" + "x" * 10_000,
    ],
)
@pytest.mark.parametrize("rule", [rules(checked=False), rules(allow=""), rules(deny="evil")])
def test_what_is_no_web_address_is_refused(rule: Rules, url: str) -> None:
    """Whatever the lists say."""
    assert not rule.allows_url(url)


def with_layer(form: Form, **members: Any) -> SampleManifest:
    """An image whose second layer says something more of itself."""
    made = image(2, form)
    first, second = made.members["layers"]
    return made.with_members(layers=[first, second | members])


def foreign(media_type: str, **members: Any) -> SampleManifest:
    """An image with a layer that need not be here."""
    base, elsewhere = layer(), layer(media_type=media_type)
    made = manifest(config([base, elsewhere]), [base, elsewhere])
    return made.with_members(layers=[base.descriptor(), elsewhere.descriptor(**members)])


async def refusals(
    registry: LocalRegistry, made: SampleManifest, *, missing: Mapping[str, Any] | None = None
) -> list[RegistryError]:
    """Push what the manifest needs, but for one descriptor's content, and return why it is refused then."""
    repository = registry.writer(APP)
    for blob in made.all_blobs():
        if missing is None or blob.digest != missing["digest"]:
            await upload(repository, blob.content)
    for child in made.children:
        await push(repository, child)
    try:
        await repository.put_manifest(made.content, made.media_type, LATEST, ())
    except Errors as refused:
        return list(refused.errors)
    return []


@pytest.mark.parametrize("media_type", [DOCKER_FOREIGN, OCI_NONDISTRIBUTABLE, f"{OCI_NONDISTRIBUTABLE}+zstd"])
@pytest.mark.parametrize("urls", [[], [EXAMPLE], [EXAMPLE, f"{EXAMPLE}/2"]])
async def test_a_foreign_layer_need_not_be_here(driver: Driver, media_type: str, urls: list[str]) -> None:
    """What may only come from its own place is never asked of the store."""
    made = foreign(media_type, urls=urls)

    assert (
        await refusals(LocalRegistry(driver, None, rules(allow="example")), made, missing=made.members["layers"][1])
        == []
    )


@pytest.mark.parametrize("made", [with_layer(OCI, urls=[EXAMPLE]), with_layer(DOCKER, urls=[EXAMPLE])])
async def test_any_other_layer_must_be_here_whatever_urls_it_names(driver: Driver, made: SampleManifest) -> None:
    """A URL is no excuse: a client could not tell, and would find nothing."""
    registry = LocalRegistry(driver, None, rules(allow="example"))
    missing = made.members["layers"][1]

    errors = await refusals(registry, made, missing=missing)

    assert [(type(error), error.detail) for error in errors] == [(ManifestBlobUnknown, missing["digest"])]
    assert await refusals(registry, made) == []


@pytest.mark.parametrize(
    "made",
    [
        foreign(DOCKER_FOREIGN, urls=["https://evil.com/"]),
        foreign(OCI_NONDISTRIBUTABLE, urls=[EXAMPLE, "https://evil.com/"]),
        with_layer(OCI, urls=["ftp://example.com/"]),
        with_layer(DOCKER, urls=[""]),
    ],
)
async def test_a_layer_that_names_a_forbidden_url_is_invalid(driver: Driver, made: SampleManifest) -> None:
    """A 400 with the layer's digest, where Distribution answers 500."""
    errors = await refusals(LocalRegistry(driver, None, rules(allow="example")), made)

    assert [type(error) for error in errors] == [ManifestInvalid]
    assert made.members["layers"][1]["digest"] in str(errors[0])


async def test_by_default_a_layer_with_urls_is_refused(driver: Driver) -> None:
    """Validation is on, and there is no list: Distribution's default."""
    registry = LocalRegistry(driver, None, Rules(urls_checked=True))

    assert len(await refusals(registry, foreign(DOCKER_FOREIGN, urls=[EXAMPLE]))) == 1
    assert await refusals(registry, image(2)) == []


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (image(1), "image"),
        (image(1, DOCKER), "image"),
        (plugin(), "plugin"),
        (artifact("application/vnd.example.sbom"), None),
    ],
)
@pytest.mark.parametrize("classes", [(), ("image",), ("plugin",), ("image", "plugin")])
async def test_only_listed_classes_are_taken(
    driver: Driver, made: SampleManifest, kind: str | None, classes: tuple[str, ...]
) -> None:
    """By the type of the config; what has no class is refused once there is a list."""
    repository = LocalRegistry(driver, None, Rules(classes=frozenset(classes))).writer(APP)
    if not classes or kind in classes:
        digest = await push(repository, made)
        assert (await repository.manifest(digest)).content == made.content
        return

    reason = f"does not allow {kind} manifest" if kind else "unknown manifest class for"
    with pytest.raises(Denied, match=reason):
        await push(repository, made)
    assert not await LocalRegistry(driver, None, Rules()).blobs.has(Digest.parse(made.digest))


@pytest.mark.parametrize("form", [OCI, DOCKER])
async def test_an_index_has_no_class(driver: Driver, form: Form) -> None:
    """It passes whatever is listed; its children have to pass by themselves."""
    registry = LocalRegistry(driver, None, Rules(classes=frozenset({"plugin"})))

    assert await refusals(registry, index([], form)) == []


async def test_the_class_is_asked_before_anything_else(driver: Driver) -> None:
    """Who may not push it learns nothing of what is here."""
    repository = LocalRegistry(driver, None, Rules(classes=frozenset({"image"}))).writer(APP)
    made = plugin()

    with pytest.raises(Denied):
        await repository.put_manifest(made.content, made.media_type, LATEST, ())


@pytest.mark.parametrize(
    ("platforms", "is_taken"),
    [
        (None, False),
        (frozenset(), True),
        (frozenset({("linux", "arm64")}), True),
        (frozenset({("linux", "arm64"), ("linux", "s390x")}), False),
    ],
)
async def test_which_manifests_of_an_index_must_be_there(
    platforms: frozenset[tuple[str, str]] | None, *, is_taken: bool
) -> None:
    """All, none, or those of a list; what is there is taken in any case."""
    registry = LocalRegistry(MemoryDriver(), None, Rules(platforms=platforms))
    repository = registry.writer(APP)
    there, absent = image(1), image(1)
    await push(repository, there, "v1")
    entries = [
        {**there.descriptor(), "platform": {"os": "linux", "architecture": "arm64"}},
        {**absent.descriptor(), "platform": {"os": "linux", "architecture": "s390x"}},
    ]
    content = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()

    if is_taken:
        await repository.put_manifest(content, OCI_INDEX, Tag("index"), [])
    else:
        with pytest.raises(Errors):
            await repository.put_manifest(content, OCI_INDEX, Tag("index"), [])
