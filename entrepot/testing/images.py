"""Valid images, indexes and artifacts as plain values, for tests of a registry. Pushes nothing and reads no registry.

Contents that are not given are random, so that two values never share a digest by accident.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform as machine
import tarfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from entrepot.oci.descriptor import (
    DOCKER_IMAGE_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_PLUGIN_CONFIG,
    OCI_IMAGE_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    OCTET_STREAM,
)

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = f"{OCI_LAYER}+gzip"
OCI_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

EMPTY_JSON = b"{}"
"""The body of OCI_EMPTY, which stands where an artifact has nothing to say (OCI image-spec, "Guidance for an Empty
Descriptor")."""


@dataclass(frozen=True, slots=True)
class SampleBlob:
    """Bytes and what they are called; `diff_id` is the digest of a layer's tar before compression."""

    content: bytes
    media_type: str = OCTET_STREAM
    algorithm: str = "sha256"
    diff_id: str = ""

    @property
    def digest(self) -> str:
        return digest_of(self.content, self.algorithm)

    def descriptor(self, **members: Any) -> dict[str, Any]:
        """As a manifest names it, with further `members` such as urls or annotations."""
        return _descriptor(self.media_type, self.digest, len(self.content)) | members


@dataclass(frozen=True, slots=True)
class SampleManifest:
    """A manifest and all that must be in a repository before it: blobs, and for an index its children in order."""

    content: bytes
    media_type: str
    blobs: tuple[SampleBlob, ...] = ()
    children: tuple[SampleManifest, ...] = ()
    algorithm: str = "sha256"

    @property
    def digest(self) -> str:
        return digest_of(self.content, self.algorithm)

    @property
    def members(self) -> dict[str, Any]:
        """The parsed body."""
        parsed: dict[str, Any] = json.loads(self.content)
        return parsed

    def descriptor(self, **members: Any) -> dict[str, Any]:
        """As an index or a subject names it, with further `members` such as platform."""
        return _descriptor(self.media_type, self.digest, len(self.content)) | members

    def with_members(self, **members: Any) -> SampleManifest:
        """The same manifest with members added or replaced; one that is None is left out. It has another digest."""
        kept = {key: value for key, value in (self.members | members).items() if value is not None}
        return replace(self, content=_encode(kept), media_type=kept.get("mediaType", self.media_type))

    def in_push_order(self) -> list[SampleManifest]:
        """Every manifest, children before what names them, this one last."""
        return [*(inner for child in self.children for inner in child.in_push_order()), self]

    def all_blobs(self) -> list[SampleBlob]:
        """Every blob of this manifest and of its children, each once."""
        blobs = {blob.digest: blob for manifest in self.in_push_order() for blob in manifest.blobs}
        return list(blobs.values())


@dataclass(frozen=True, slots=True)
class Form:
    """The media types of one family of images."""

    manifest: str
    index: str
    config: str
    layer: str


OCI = Form(OCI_MANIFEST, OCI_INDEX, OCI_IMAGE_CONFIG, OCI_LAYER_GZIP)
DOCKER = Form(DOCKER_MANIFEST, DOCKER_LIST, DOCKER_IMAGE_CONFIG, DOCKER_LAYER)


@dataclass(frozen=True, slots=True)
class Extras:
    """What any manifest may carry beside its content."""

    artifact_type: str | None = None
    subject: SampleManifest | Mapping[str, Any] | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)

    def members(self) -> dict[str, Any]:
        found: dict[str, Any] = dict(self.others)
        if self.artifact_type is not None:
            found["artifactType"] = self.artifact_type
        if self.subject is not None:
            subject = self.subject
            found["subject"] = subject.descriptor() if isinstance(subject, SampleManifest) else dict(subject)
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found


NOTHING = Extras()


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """`algorithm:hex` of `content`."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def random_blob(size: int = 2048, media_type: str = OCTET_STREAM, *, algorithm: str = "sha256") -> SampleBlob:
    """`size` bytes that nobody has seen before."""
    return SampleBlob(os.urandom(size), media_type, algorithm)


def layer(
    files: Mapping[str, bytes] | None = None,
    media_type: str = OCI_LAYER_GZIP,
    *,
    links: Mapping[str, str] | None = None,
    algorithm: str = "sha256",
) -> SampleBlob:
    """A file system layer of executable `files` and symbolic `links`, compressed where the type says so.

    The same input gives the same bytes: no clock goes in.
    """
    names = {"random.txt": os.urandom(16).hex().encode()} if files is None else files
    tar = _tar(names, links or {})
    content = gzip.compress(tar, mtime=0) if media_type.endswith("gzip") else tar
    return SampleBlob(content, media_type, algorithm, digest_of(tar))


def config(
    layers: Sequence[SampleBlob], form: Form = OCI, *, platform: Mapping[str, str] | None = None, **runs: Any
) -> SampleBlob:
    """An image's configuration for these layers; `runs` are the members of its `config`, such as Cmd and Env."""
    body = {
        **(platform or {"architecture": "amd64", "os": "linux"}),
        "config": runs,
        "rootfs": {"type": "layers", "diff_ids": [one.diff_id or one.digest for one in layers]},
        "history": [{"created_by": f"layer {number}"} for number in range(len(layers))],
    }
    return SampleBlob(_encode(body), form.config, layers[0].algorithm if layers else "sha256")


def manifest(
    of: SampleBlob,
    layers: Sequence[SampleBlob],
    form: Form = OCI,
    extras: Extras = NOTHING,
    *,
    algorithm: str = "sha256",
) -> SampleManifest:
    """An image manifest of a config and layers."""
    members = {
        "schemaVersion": 2,
        "mediaType": form.manifest,
        "config": of.descriptor(),
        "layers": [one.descriptor() for one in layers],
        **extras.members(),
    }
    return SampleManifest(_encode(members), form.manifest, (of, *layers), (), algorithm)


def image(
    layers: Sequence[SampleBlob] | int = 2,
    form: Form = OCI,
    extras: Extras = NOTHING,
    *,
    platform: Mapping[str, str] | None = None,
    algorithm: str = "sha256",
) -> SampleManifest:
    """An image of the given layers, or of that many random ones."""
    if isinstance(layers, int):
        layers = [layer(media_type=form.layer, algorithm=algorithm) for _ in range(layers)]
    of = replace(config(layers, form, platform=platform, Labels={"unique": os.urandom(8).hex()}), algorithm=algorithm)
    return manifest(of, layers, form, extras, algorithm=algorithm)


def index(
    children: Sequence[SampleManifest] | None = None,
    form: Form = OCI,
    extras: Extras = NOTHING,
    *,
    algorithm: str = "sha256",
) -> SampleManifest:
    """An index of the given manifests, or of two random images for two platforms."""
    if children is None:
        platforms = [{"architecture": name, "os": "linux"} for name in ("amd64", "arm64")]
        children = [image(form=form, platform=platform, algorithm=algorithm) for platform in platforms]
    members = {
        "schemaVersion": 2,
        "mediaType": form.index,
        "manifests": [child.descriptor(**_platform_of(child)) for child in children],
        **extras.members(),
    }
    return SampleManifest(_encode(members), form.index, (), tuple(children), algorithm)


def nested_index(depth: int, innermost: SampleManifest | None = None, *, algorithm: str = "sha256") -> SampleManifest:
    """`depth` indexes, each holding the next one only, around an image."""
    made = innermost if innermost is not None else image(1, algorithm=algorithm)
    for _ in range(depth):
        made = index([made], algorithm=algorithm)
    return made


def artifact(
    artifact_type: str,
    content: SampleBlob | None = None,
    *,
    subject: SampleManifest | Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
    algorithm: str = "sha256",
) -> SampleManifest:
    """A signature, an SBOM or the like: an image manifest with an empty config and one blob."""
    of = SampleBlob(EMPTY_JSON, OCI_EMPTY, algorithm)
    holds = content if content is not None else random_blob(media_type=artifact_type, algorithm=algorithm)
    extras = Extras(artifact_type, subject, annotations or {})
    return manifest(of, [holds], OCI, extras, algorithm=algorithm)


def plugin() -> SampleManifest:
    """A Docker plugin, which differs from an image by its config's type."""
    layers = [layer(media_type=DOCKER_LAYER)]
    return manifest(replace(config(layers, DOCKER), media_type=DOCKER_PLUGIN_CONFIG), layers, DOCKER)


def image_of_size(size: int) -> SampleManifest:
    """An image whose manifest is exactly `size` bytes, blown up by annotations as signed and annotated ones are."""
    piece = 10_000
    bare = image(1)
    padding = {f"padding-{number}": "A" * piece for number in range((size - len(bare.content)) // piece - 1)}
    missing = size - len(bare.with_members(annotations=padding | {"last": ""}).content)
    return bare.with_members(annotations=padding | {"last": "A" * missing})


def with_data(made: SampleManifest) -> SampleManifest:
    """The same image with its blobs repeated inside the descriptors' `data` (OCI image-spec, "Embedded Content")."""
    of, *layers = made.blobs

    def full(blob: SampleBlob) -> dict[str, Any]:
        return blob.descriptor(data=b64encode(blob.content).decode())

    return made.with_members(config=full(of), layers=[full(one) for one in layers])


def busybox_image(form: Form = OCI, *, program: str = "/bin/busybox", message: str = "") -> SampleManifest:
    """An image that runs: this machine's statically linked busybox under its usual names.

    By default it prints `message`, or is a shell. Raises FileNotFoundError where there is no `program`.
    """
    names = ("cat", "echo", "env", "false", "id", "ls", "mkdir", "sh", "sleep", "true", "wc")
    files = {"bin/busybox": Path(program).read_bytes(), "etc/passwd": b"root:x:0:0:root:/:/bin/sh\n"}
    layers = [layer(files, form.layer, links={f"bin/{name}": "busybox" for name in names})]
    command = ["/bin/echo", message] if message else ["/bin/sh"]
    of = config(layers, form, platform=local_platform(), Cmd=command, Env=["PATH=/bin"])
    return manifest(of, layers, form)


def local_platform() -> dict[str, str]:
    """This machine in the words of the image specification."""
    words = {"x86_64": "amd64", "aarch64": "arm64"}
    return {"architecture": words.get(machine.machine(), machine.machine()), "os": "linux"}


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _encode(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


def _platform_of(child: SampleManifest) -> dict[str, Any]:
    of = next((blob for blob in child.blobs if blob.media_type in (OCI_IMAGE_CONFIG, DOCKER_IMAGE_CONFIG)), None)
    if of is None:
        return {}
    said = json.loads(of.content)
    return {"platform": {"architecture": said["architecture"], "os": said["os"]}}


def _tar(files: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return buffer.getvalue()
