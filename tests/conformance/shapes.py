"""The data that a conforming registry must take, as values: what is pushed, which tags it gets, who refers to whom."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from entrepot.oci.descriptor import OCI_INDEX
from entrepot.testing.images import (
    DOCKER,
    EMPTY_JSON,
    OCI,
    OCI_EMPTY,
    OCI_LAYER,
    OCI_NONDISTRIBUTABLE,
    Extras,
    SampleBlob,
    SampleManifest,
    artifact,
    config,
    digest_of,
    image,
    index,
    layer,
    manifest,
    with_data,
)

FIRST_TYPE = "application/vnd.example.first.v1"
SECOND_TYPE = "application/vnd.example.second.v1"
FOREIGN_URL = "https://store.example.com/blobs/"
SAID = {"org.example.greeting": "hello", "org.example.empty": ""}


@dataclass(frozen=True, slots=True)
class Shape:
    """Manifests in the order they are pushed in, each after what it is made of; and the tags that they get."""

    manifests: tuple[SampleManifest, ...]
    tags: Mapping[str, SampleManifest] = field(default_factory=dict)
    tag_parameters: bool = False

    def all_manifests(self) -> list[SampleManifest]:
        return [one for made in self.manifests for one in made.in_push_order()]

    def all_blobs(self) -> list[SampleBlob]:
        blobs = {blob.digest: blob for made in self.manifests for blob in made.all_blobs()}
        return list(blobs.values())

    def tags_of(self, made: SampleManifest) -> list[str]:
        return [tag for tag, tagged in self.tags.items() if tagged.digest == made.digest]

    def referrers(self) -> dict[str, list[dict[str, Any]]]:
        """For every subject, the descriptors that its referrers list must hold."""
        found: dict[str, list[dict[str, Any]]] = {}
        for made in self.all_manifests():
            if "subject" in made.members:
                found.setdefault(made.members["subject"]["digest"], []).append(referrer_descriptor(made))
        return found


def referrer_descriptor(made: SampleManifest) -> dict[str, Any]:
    """How a referrers list must show the manifest (OCI distribution-spec, "Listing Referrers")."""
    members = made.members
    artifact_type = members.get("artifactType") or members.get("config", {}).get("mediaType")
    return made.descriptor(
        **({"artifactType": artifact_type} if artifact_type else {}),
        **({"annotations": members["annotations"]} if "annotations" in members else {}),
    )


def _tagged(tag: str, made: SampleManifest) -> Shape:
    return Shape((made,), {tag: made})


def _image() -> Shape:
    return _tagged("image", image())


def _uncompressed_image() -> Shape:
    return _tagged("image-uncompressed", image([layer(media_type=OCI_LAYER), layer(media_type=OCI_LAYER)]))


def _large_manifest() -> Shape:
    annotations = {f"large-annotation-{number}": "A" * 10_000 for number in range(390)}
    return _tagged("large-manifest", image(extras=Extras(annotations=annotations)))


def _index() -> Shape:
    return _tagged("index", index())


def _nested_index() -> Shape:
    return _tagged("index-of-index", index([index(), index()]))


def _empty_index() -> Shape:
    return _tagged("empty-index", index([]))


def _artifact() -> Shape:
    return _tagged("artifact", artifact(FIRST_TYPE))


def _artifact_index() -> Shape:
    children = [artifact(FIRST_TYPE), artifact(FIRST_TYPE)]
    platforms = [{"os": "linux", "architecture": name} for name in ("amd64", "arm64")]
    named = [child.descriptor(platform=platform) for child, platform in zip(children, platforms, strict=True)]
    made = index(children, extras=Extras(FIRST_TYPE)).with_members(manifests=named)
    return _tagged("artifact-index", made)


def _artifact_without_layers() -> Shape:
    return _tagged("artifact-without-layers", artifact(FIRST_TYPE, SampleBlob(EMPTY_JSON, OCI_EMPTY)))


def _artifacts_with_subject() -> Shape:
    subject = image()
    plain = image(extras=Extras(subject=subject))
    first = artifact(FIRST_TYPE, subject=subject, annotations=SAID | _unique())
    second = artifact(SECOND_TYPE, subject=subject, annotations=SAID | _unique())
    return Shape((subject, plain, first, second), {"image": subject, "artifact1": first, "artifact2": second})


def _index_with_subject() -> Shape:
    subject = index()
    typed = index([artifact(FIRST_TYPE)], extras=Extras(FIRST_TYPE, subject, SAID | _unique()))
    untyped = index([], extras=Extras(None, subject, _unique()))
    return Shape((subject, typed, untyped), {"index": subject, "tagged-artifact": typed})


def _missing_subject() -> Shape:
    subject = image().descriptor()
    return _tagged("tagged-artifact", artifact(FIRST_TYPE, subject=subject, annotations=SAID | _unique()))


def _data_field() -> Shape:
    return _tagged("data-field", with_data(image()))


def _nondistributable_layers() -> Shape:
    foreign = [layer(media_type=f"{OCI_NONDISTRIBUTABLE}+gzip"), layer(media_type=OCI_NONDISTRIBUTABLE)]
    normal = layer()
    of = config([*foreign, normal])
    named = [one.descriptor(urls=[f"{FOREIGN_URL}{one.digest}"]) for one in foreign]
    made = manifest(of, [normal]).with_members(layers=[*named, normal.descriptor()])
    return _tagged("non-distributable", made)


def _custom_fields() -> Shape:
    def custom() -> Extras:
        return Extras(others={f"org.example.{os.urandom(8).hex()}": {"nested": [1, None, "ü"]}})

    children = [image(platform={"os": "linux", "architecture": name}, extras=custom()) for name in ("amd64", "arm64")]
    return _tagged("custom-fields", index(children, extras=custom()))


def _no_layers() -> Shape:
    return _tagged("no-layers", image(0))


def _sha512() -> Shape:
    return Shape((index(algorithm="sha512"),))


def _tag_parameters(algorithm: str) -> Shape:
    made = index(algorithm=algorithm)
    tags = {f"tag-param-{number}": one for number, one in enumerate(made.in_push_order())}
    return Shape((made,), {"tag-param": made, **tags}, tag_parameters=True)


def _tag_parameters_sha256() -> Shape:
    return _tag_parameters("sha256")


def _tag_parameters_sha512() -> Shape:
    return _tag_parameters("sha512")


def _docker_image() -> Shape:
    return _tagged("docker", image(form=DOCKER))


def _docker_list() -> Shape:
    return _tagged("docker-list", index(form=DOCKER))


def _mixed_index() -> Shape:
    """An OCI index of a Docker image and an OCI image, as build tools make."""
    return _tagged("mixed", index([image(form=DOCKER), image(form=OCI)]))


def _untyped_image() -> Shape:
    """The OCI image manifest's mediaType is optional."""
    bare = image()
    return _tagged("untyped", SampleManifest(bare.with_members(mediaType=None).content, OCI.manifest, bare.blobs))


def _untyped_index() -> Shape:
    bare = index()
    content = bare.with_members(mediaType=None).content
    return _tagged("untyped-index", SampleManifest(content, OCI_INDEX, (), bare.children))


def _unknown_type() -> Shape:
    body = b'{"mediaType":"application/vnd.example.thing.v1+json", "anything": [{"goes": true}]}\n'
    return _tagged("unknown", SampleManifest(body, "application/vnd.example.thing.v1+json"))


SHAPES: Mapping[str, Callable[[], Shape]] = {
    "image": _image,
    "image-uncompressed": _uncompressed_image,
    "large-manifest": _large_manifest,
    "index": _index,
    "nested-index": _nested_index,
    "empty-index": _empty_index,
    "artifact": _artifact,
    "artifact-index": _artifact_index,
    "artifact-without-layers": _artifact_without_layers,
    "artifacts-with-subject": _artifacts_with_subject,
    "index-with-subject": _index_with_subject,
    "missing-subject": _missing_subject,
    "data-field": _data_field,
    "non-distributable-layers": _nondistributable_layers,
    "custom-fields": _custom_fields,
    "no-layers": _no_layers,
    "sha512": _sha512,
    "tag-parameters-sha256": _tag_parameters_sha256,
    "tag-parameters-sha512": _tag_parameters_sha512,
    "docker-image": _docker_image,
    "docker-list": _docker_list,
    "mixed-index": _mixed_index,
    "untyped-image": _untyped_image,
    "untyped-index": _untyped_index,
    "unknown-type": _unknown_type,
}
"""By name. What a registry must refuse (a wrong digest, a missing layer) is in test_refusals.py."""


def sparse_image() -> SampleManifest:
    """An image one layer of which is not among the blobs to push."""
    whole = image()
    return SampleManifest(whole.content, whole.media_type, whole.blobs[:-1])


def sparse_index() -> SampleManifest:
    """An index one child of which is not among those to push."""
    whole = index()
    return SampleManifest(whole.content, whole.media_type, (), whole.children[:1])


def missing_digest() -> str:
    """A digest that no registry holds."""
    return digest_of(os.urandom(32))


def _unique() -> dict[str, str]:
    return {"org.example.unique": os.urandom(8).hex()}
