"""Descriptors and the media types that mean something to a registry (OCI image-spec, "Content Descriptors")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entrepot.oci.digest import Digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA1 = frozenset({"application/vnd.docker.distribution.manifest.v1+json", SCHEMA1_SIGNED})
IMAGE_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)

OCTET_STREAM = "application/octet-stream"

DOCKER_IMAGE_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_PLUGIN_CONFIG = "application/vnd.docker.plugin.v1+json"
OCI_IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"

_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar"
_NONDISTRIBUTABLE_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a piece of content is called: media type, digest, size in bytes, and what its referrer said of it."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    urls: tuple[str, ...] = ()
    platform: tuple[str, str] | None = None
    """Operating system and architecture, as an index tells them of a manifest."""

    def to_json(self) -> dict[str, Any]:
        """The spec's members, the optional ones only where they say something."""
        members: dict[str, Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.artifact_type:
            members["artifactType"] = self.artifact_type
        if self.annotations:
            members["annotations"] = dict(self.annotations)
        if self.urls:
            members["urls"] = list(self.urls)
        return members


def is_foreign(descriptor: Descriptor) -> bool:
    """Whether the layer's type allows it to live elsewhere (Docker "foreign", OCI "nondistributable")."""
    return descriptor.media_type.startswith((_FOREIGN_LAYER, _NONDISTRIBUTABLE_LAYER))
