"""A schema 1 payload made of an image of schema 2, byte for byte as Distribution 2.x makes it: its digest is the same.

Identifiers of layers are made up, since schema 2 has none: a chain of hashes, from the oldest layer on.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestInvalid

EMPTY_LAYER = bytes.fromhex("1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000")
"""A tar without files, zipped: what a step of a build that changed no file has for a layer."""
EMPTY_DIGEST = Digest.of(EMPTY_LAYER)

_MOST_STEPS = 10_000
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\d*(Z|[+-]\d\d:\d\d)")
_NO_TIME = "0001-01-01T00:00:00Z"
_STRING_OR_SPACE = re.compile(r'("(?:[^"\\]|\\.)*+")|[ \t\n\r]+')
_ESCAPED = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}
"""What Go escapes in each string of JSON beyond what the format asks for."""


def convert(config: bytes, layers: Sequence[Digest], name: str, tag: str) -> bytes:
    """The payload for an image with this configuration and these layers, oldest first. Raises ManifestInvalid."""
    try:
        return _convert(config.decode(), layers, name, tag)
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as error:
        raise ManifestInvalid(f"the image's configuration cannot be converted to schema 1: {error}"[:300]) from None


def _convert(config: str, layers: Sequence[Digest], name: str, tag: str) -> bytes:
    members = json.loads(config)
    history, root = members.get("history") or [], members["rootfs"]
    if not history:
        raise ValueError("empty history when trying to create schema1 manifest")
    if len(history) > _MOST_STEPS or len(root.get("diff_ids") or []) != len(layers):
        raise ValueError("its layers are not those of the manifest")
    blobs = list(_blobs(history, layers))
    steps, parent = [], ""
    for number, (step, blob) in enumerate(zip(history[:-1], blobs, strict=False)):
        identity = hashlib.sha256(f"{blob.encoded} {parent}".encode()).hexdigest()
        if number == 0 and root.get("base_layer"):
            parent = hashlib.sha384(root["base_layer"].encode()).hexdigest()[:64]
        steps.append(_step(step, identity, parent))
        parent = identity
    newest = hashlib.sha256(f"{blobs[-1].encoded} {parent} {config}".encode()).hexdigest()
    steps.append(_newest(config, newest, parent, is_empty=bool(history[-1].get("empty_layer"))))
    manifest = {
        "schemaVersion": 1,
        "name": name,
        "tag": tag,
        "architecture": members.get("architecture") or "",
        "fsLayers": [{"blobSum": blob} for blob in reversed(blobs)],
        "history": [{"v1Compatibility": step} for step in reversed(steps)],
    }
    return _escape(json.dumps(manifest, indent=3, ensure_ascii=False)).encode()


def _blobs(history: Sequence[Mapping[str, Any]], layers: Sequence[Digest]) -> Iterator[Digest]:
    rest = iter(layers)
    for step in history:
        blob = EMPTY_DIGEST if step.get("empty_layer") else next(rest, None)
        if blob is None:
            raise ValueError("too many non-empty layers in History section")
        yield blob


def _step(step: Mapping[str, Any], identity: str, parent: str) -> str:
    told = {
        "id": identity,
        "parent": parent,
        "comment": step.get("comment") or "",
        "created": _time(step.get("created")),
        "container_config": {"Cmd": [step.get("created_by") or ""]},
        "author": step.get("author") or "",
        "throwaway": bool(step.get("empty_layer")),
    }
    return _escape(_compact({key: value for key, value in told.items() if value}))


def _newest(config: str, identity: str, parent: str, *, is_empty: bool) -> str:
    """The configuration itself, its members sorted, without those that schema 1 does not know."""
    members = {key: _compacted(raw) for key, raw in _members(config) if key not in ("rootfs", "history")}
    members["id"] = json.dumps(identity)
    if parent:
        members["parent"] = json.dumps(parent)
    if is_empty:
        members["throwaway"] = "true"
    return "{" + ",".join(f"{_escape(_compact(key))}:{members[key]}" for key in sorted(members)) + "}"


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Each member of an object with its value as it is written: numbers and escapes are not to be changed."""
    decoder = json.JSONDecoder()
    at = text.index("{") + 1
    while True:
        at = _skip(text, at)
        if text[at] == "}":
            return
        key, at = decoder.raw_decode(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        _, at = decoder.raw_decode(text, begin)
        yield key, text[begin:at]
        at = _skip(text, at)
        at += text[at] == ","


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\n\r":
        at += 1
    return at


def _compacted(raw: str) -> str:
    return _escape(_STRING_OR_SPACE.sub(lambda found: found[1] or "", raw))


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _escape(text: str) -> str:
    # Outside of strings JSON has none of these.
    return text.translate(_ESCAPED)


def _time(text: str | None) -> str:
    if text is None:
        return _NO_TIME
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("a time that is none")
    fraction = (found[2] or "").rstrip("0")
    zone = "Z" if found[3] in ("Z", "+00:00", "-00:00") else found[3]
    return f"{found[1]}{'.' if fraction else ''}{fraction}{zone}"
