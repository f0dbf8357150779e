"""Docker's first manifest format, as far as a registry must understand what is stored: which layers a payload names.

The payload is the manifest without its signatures: what is hashed and kept (Distribution's manifest/schema1).
"""

from __future__ import annotations

from typing import Any

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import DigestInvalid, ManifestInvalid

_MOST_LAYERS = 10_000


def layers_of(members: dict[str, Any]) -> tuple[Descriptor, ...]:
    """The layers, newest first as they are written; their sizes and media types nobody has told.

    Raises ManifestInvalid.
    """
    layers, history = members.get("fsLayers"), members.get("history")
    if not isinstance(layers, list) or not isinstance(history, list) or len(layers) > _MOST_LAYERS:
        raise ManifestInvalid(f"fsLayers and history must be lists of at most {_MOST_LAYERS} entries")
    if len(layers) != len(history):
        raise ManifestInvalid(f"mismatched history and fslayer cardinality {len(history)} != {len(layers)}")
    return tuple(Descriptor("", _digest(layer), 0) for layer in layers)


def _digest(layer: Any) -> Digest:
    text = layer.get("blobSum") if isinstance(layer, dict) else None
    try:
        return Digest.parse(text if isinstance(text, str) else "")
    except DigestInvalid as error:
        raise ManifestInvalid(f"fsLayers: {error.detail}") from None
