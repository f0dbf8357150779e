"""Descriptors and the media types that mean something."""

import pytest

from entrepot.oci.descriptor import Descriptor, is_foreign
from entrepot.oci.digest import Digest

DIGEST = Digest.of(b"content")


def test_written_without_what_says_nothing() -> None:
    """Only the members that say something are written, in the specification's names."""
    assert Descriptor("a/b", DIGEST, 7).to_json() == {"mediaType": "a/b", "digest": DIGEST, "size": 7}


def test_written_whole() -> None:
    """Every member is written where it is set."""
    whole = Descriptor("a/b", DIGEST, 7, {"key": "value"}, "c/d", ("https://example.com/x",))

    assert whole.to_json() == {
        "mediaType": "a/b",
        "digest": DIGEST,
        "size": 7,
        "artifactType": "c/d",
        "annotations": {"key": "value"},
        "urls": ["https://example.com/x"],
    }


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", True),
        ("application/vnd.oci.image.layer.v1.tar+gzip", False),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", False),
        ("", False),
    ],
)
def test_foreign_layers(media_type: str, expected: bool) -> None:
    """Foreign and non-distributable layers are known by their types."""
    assert is_foreign(Descriptor(media_type, DIGEST, 1)) is expected
