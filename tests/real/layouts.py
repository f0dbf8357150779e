"""Sample images written down in the two directory forms that skopeo reads, and read back from one of them."""

import json
from pathlib import Path

from entrepot.testing.images import SampleBlob, SampleManifest


def write_oci(directory: Path, image: SampleManifest, tag: str) -> str:
    """Write an OCI image layout and return the `oci:` name of its one tagged image."""
    everything: list[SampleBlob | SampleManifest] = [*image.all_blobs(), *image.in_push_order()]
    for one in everything:
        algorithm, encoded = one.digest.split(":")
        blob = directory / "blobs" / algorithm / encoded
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(one.content)
    named = image.descriptor(annotations={"org.opencontainers.image.ref.name": tag})
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    return f"oci:{directory}:{tag}"


def write_dir(directory: Path, image: SampleManifest) -> str:
    """Write skopeo's own directory form, which keeps any media type, and return its `dir:` name."""
    directory.mkdir(parents=True)
    for name, content in dir_files(image).items():
        (directory / name).write_bytes(content)
    return f"dir:{directory}"


def read_dir(directory: Path) -> dict[str, bytes]:
    """Return the files of a directory that skopeo wrote, by name."""
    return {entry.name: entry.read_bytes() for entry in directory.iterdir()}


def dir_files(image: SampleManifest) -> dict[str, bytes]:
    """Return the files that skopeo's directory form of this image consists of, by name."""
    blobs = {_encoded(blob.digest): blob.content for blob in image.all_blobs()}
    manifests = {f"{_encoded(one.digest)}.manifest.json": one.content for one in image.in_push_order()[:-1]}
    return {"version": b"Directory Transport Version: 1.1\n", "manifest.json": image.content, **manifests, **blobs}


def _encoded(digest: str) -> str:
    return digest.split(":")[1]
