"""Manifest bytes → what they refer to. Reads manifests, never writes or changes one.

The parser is strict where two readers could see two different things in the same bytes (CVE-2021-41190): duplicate
members, members that differ from a known one in case only, both `manifests` and `layers`, a `mediaType` that is not the
declared one. Everything else is kept verbatim.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from entrepot.oci.descriptor import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    IMAGE_TYPES,
    INDEX_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA1_SIGNED,
    Descriptor,
)
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestInvalid, RegistryError
from entrepot.oci.schema1 import layers_of

MANIFEST_LIMIT = 4 * 1024 * 1024
"""Bytes; the size every registry must take (OCI distribution-spec) and Distribution's bound."""

SCHEMA1_REFUSED = "Docker manifest schema 1 is not supported; push schema 2 or an OCI manifest"

_DEPTH_LIMIT = 64
_REFERENCE_LIMIT = 100_000
_BRACKET_LIMIT = 200_000


_MEANINGFUL = {
    name.casefold(): name
    for name in (
        *("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations"),
        *("digest", "size", "urls"),
    )
}
"""Names that Go's JSON reader finds in whatever case they are written."""

_RESTRICTED = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+\-]{0,126}"
_OWN_TYPE = re.compile(f"(?!text/|image/|multipart/){_RESTRICTED}/{_RESTRICTED}", re.IGNORECASE)
"""RFC 6838 §4.2; but of the kinds that a browser may run when it is shown one."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a registry must know of a manifest; `media_type` is what it is served as, for ever."""

    media_type: str
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None
    artifact_type: str | None
    annotations: dict[str, str]


def parse(content: bytes, declared: str | None) -> Parsed:
    """Read a manifest sent as media type `declared`; None where the sender gave none, as when read from storage.

    Raises ManifestInvalid with the reason as detail. A type that is not known is taken only where the body names the
    same one: what is served later is derived from the body alone, as Distribution does.

    Of Docker's schema 1 the payload is read, as it is stored.
    """
    members = _read_object(content)
    if members.get("schemaVersion") == 1 and declared in (None, SCHEMA1_SIGNED) and "signatures" not in members:
        return Parsed(SCHEMA1_SIGNED, None, layers_of(members), (), None, None, {})
    _refuse_other_case(members)
    media_type = _media_type(members, declared)
    _refuse_ambiguity(members, media_type)
    if media_type in IMAGE_TYPES and members.get("config") is None:
        raise ManifestInvalid("an image manifest needs a config")
    if media_type in INDEX_TYPES and not isinstance(members.get("manifests"), list):
        raise ManifestInvalid("an index needs a list of manifests")
    known = media_type in IMAGE_TYPES or media_type in INDEX_TYPES
    config = _descriptor(members["config"], "config") if known and members.get("config") is not None else None
    return Parsed(
        media_type=media_type,
        config=config,
        layers=_descriptors(members, "layers") if known else (),
        manifests=_descriptors(members, "manifests") if known else (),
        subject=_descriptor(members["subject"], "subject") if members.get("subject") is not None else None,
        artifact_type=_text(members, "artifactType") or (config.media_type if config else None),
        annotations=_annotations(members, "annotations"),
    )


def _read_object(content: bytes) -> dict[str, Any]:
    _check_depth(content)
    try:
        members = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_bounded_int
        )
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ManifestInvalid(f"not valid JSON: {error}") from None
    if not isinstance(members, dict):
        raise ManifestInvalid("not a JSON object")
    return members


# Possessive and with an optional end, so that no input makes it look at a byte twice.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def _check_depth(content: bytes) -> None:
    # The count first: a manifest of nothing but brackets would keep the processor busy for a third of a second.
    if content.count(b"[") + content.count(b"{") > _BRACKET_LIMIT:
        raise ManifestInvalid(f"more than {_BRACKET_LIMIT} lists and objects")
    depth = 0
    for byte in _STRING.sub(b"", content).translate(None, _NOT_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        if depth > _DEPTH_LIMIT:
            raise ManifestInvalid(f"nested deeper than {_DEPTH_LIMIT} levels")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _bounded_int(text: str) -> int:
    if len(text) > 20:
        raise ValueError("a number is too large")
    return int(text)


def _media_type(members: dict[str, Any], declared: str | None) -> str:
    inner = _text(members, "mediaType")
    if declared in SCHEMA1 or inner in SCHEMA1 or members.get("schemaVersion") == 1:
        raise ManifestInvalid(SCHEMA1_REFUSED)
    known = declared in IMAGE_TYPES or declared in INDEX_TYPES
    if inner and declared and inner != declared:
        raise ManifestInvalid(f"mediaType in manifest should be {declared!r} not {inner!r}")
    if declared and not inner and (not known or declared in (DOCKER_MANIFEST, DOCKER_LIST)):
        raise ManifestInvalid(f"mediaType in manifest should be {declared!r} and is missing")
    media_type = declared or inner or (OCI_INDEX if members.get("manifests") is not None else OCI_MANIFEST)
    if _OWN_TYPE.fullmatch(media_type) is None:
        raise ManifestInvalid(f"{media_type!r} is no media type of a manifest")
    if (media_type in IMAGE_TYPES or media_type in INDEX_TYPES) and not _is_two(members.get("schemaVersion")):
        raise ManifestInvalid("schemaVersion must be 2")
    return media_type


def _is_two(version: Any) -> bool:
    return type(version) is int and version == 2


def _refuse_ambiguity(members: dict[str, Any], media_type: str) -> None:
    if "manifests" in members and ("layers" in members or "config" in members):
        raise ManifestInvalid("both an index and an image: manifests beside config or layers")
    if media_type in IMAGE_TYPES and "manifests" in members:
        raise ManifestInvalid("expected an image manifest but found an index")
    if media_type in INDEX_TYPES and ("layers" in members or "config" in members):
        raise ManifestInvalid("expected an index but found an image manifest")


def _refuse_other_case(members: dict[str, Any], where: str = "") -> None:
    for name in members:
        known = _MEANINGFUL.get(name.casefold())
        if known is not None and name != known:
            raise ManifestInvalid(f"{where}{name} is not {known}, but some readers take it for that")


def _descriptors(members: dict[str, Any], key: str) -> tuple[Descriptor, ...]:
    entries = members.get(key)
    if entries is None:
        return ()
    if not isinstance(entries, list) or len(entries) > _REFERENCE_LIMIT:
        raise ManifestInvalid(f"{key} must be a list of at most {_REFERENCE_LIMIT} descriptors")
    return tuple(_descriptor(entry, f"{key}[{index}]") for index, entry in enumerate(entries))


def _descriptor(entry: Any, where: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise ManifestInvalid(f"{where} must be a descriptor")
    _refuse_other_case(entry, f"{where}.")
    size = entry.get("size")
    if type(size) is not int or not 0 <= size < 2**63:
        raise ManifestInvalid(f"{where}.size must be a whole number of bytes")
    urls = entry.get("urls") or []
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise ManifestInvalid(f"{where}.urls must be a list of strings")
    return Descriptor(
        media_type=_text(entry, "mediaType", f"{where}.") or "",
        digest=_digest(entry.get("digest"), where),
        size=size,
        annotations=_annotations(entry, "annotations", f"{where}."),
        artifact_type=_text(entry, "artifactType", f"{where}."),
        urls=tuple(urls),
        platform=_platform(entry.get("platform")),
    )


def _platform(value: Any) -> tuple[str, str] | None:
    # For the operator's rules only: what is malformed is none.
    if not isinstance(value, dict):
        return None
    system, architecture = value.get("os"), value.get("architecture")
    return (system, architecture) if isinstance(system, str) and isinstance(architecture, str) else None


def _digest(value: Any, where: str) -> Digest:
    try:
        return Digest.parse(value if isinstance(value, str) else "")
    except RegistryError as error:
        raise ManifestInvalid(f"{where}.digest: {error.detail}") from None


def _text(members: dict[str, Any], key: str, where: str = "") -> str | None:
    value = members.get(key)
    if value is not None and not isinstance(value, str):
        raise ManifestInvalid(f"{where}{key} must be a string")
    if value and not _is_header_safe(value):
        raise ManifestInvalid(f"{where}{key} holds characters that no media type has")
    return value or None


def _is_header_safe(text: str) -> bool:
    """Media types become header values when served: printable ASCII only (RFC 9110 §5.5)."""
    return len(text) <= 255 and text.isascii() and text.isprintable()


def _annotations(members: dict[str, Any], key: str, where: str = "") -> dict[str, str]:
    value = members.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ManifestInvalid(f"{where}{key} must map strings to strings")
    return value


def references(parsed: Parsed) -> Sequence[Descriptor]:
    """The blobs an image needs: its config, then its layers."""
    return (*(() if parsed.config is None else (parsed.config,)), *parsed.layers)
