"""Manifests read: what they refer to, and what is refused because two readers could see two things in it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.descriptor import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestInvalid
from entrepot.oci.manifest import MANIFEST_LIMIT, Parsed, parse, references
from tests.unit.adversarial import in_linear_time

CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest.of(b"config"), "size": 6}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": Digest.of(b"layer"), "size": 5}
IMAGE = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}
INDEX = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [LAYER | {"mediaType": OCI_MANIFEST}]}


def _bytes(members: object) -> bytes:
    return json.dumps(members).encode()


def _without(members: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key not in keys}


def test_image() -> None:
    """An image refers to its config and its layers, in order."""
    parsed = parse(_bytes(IMAGE), OCI_MANIFEST)

    assert parsed.media_type == OCI_MANIFEST
    assert [one.digest for one in references(parsed)] == [CONFIG["digest"], LAYER["digest"]]
    assert parsed.artifact_type == CONFIG["mediaType"]
    assert parsed.manifests == ()


def test_index() -> None:
    """An index refers to manifests and to no blobs."""
    parsed = parse(_bytes(INDEX), OCI_INDEX)

    assert [one.digest for one in parsed.manifests] == [LAYER["digest"]]
    assert references(parsed) == ()


@pytest.mark.parametrize(
    ("members", "media_type"),
    [
        (IMAGE, OCI_MANIFEST),
        (_without(IMAGE, "mediaType"), OCI_MANIFEST),
        (IMAGE | {"mediaType": DOCKER_MANIFEST}, DOCKER_MANIFEST),
        (INDEX, OCI_INDEX),
        (_without(INDEX, "mediaType"), OCI_INDEX),
        (INDEX | {"mediaType": DOCKER_LIST}, DOCKER_LIST),
        (INDEX | {"manifests": []}, OCI_INDEX),
        ({"mediaType": "application/vnd.example+json", "anything": [1, "2", None]}, "application/vnd.example+json"),
    ],
)
def test_type_from_the_body_alone(members: dict[str, Any], media_type: str) -> None:
    """Read from storage, without a declared type, the body says what it is."""
    assert parse(_bytes(members), None).media_type == media_type


def test_subject_artifact_type_and_annotations() -> None:
    """What referrers are listed by is read from images and indexes alike."""
    extras = {"subject": LAYER, "artifactType": "application/x.sbom", "annotations": {"a": "b"}}
    for members in (IMAGE, INDEX):
        parsed = parse(_bytes(members | extras), None)

        assert parsed.subject is not None
        assert parsed.subject.digest == LAYER["digest"]
        assert (parsed.artifact_type, parsed.annotations) == ("application/x.sbom", {"a": "b"})


REFUSED: list[tuple[str, object, str | None]] = [
    ("both an image and an index", IMAGE | {"manifests": []}, None),
    ("an index declared as an image", INDEX, OCI_MANIFEST),
    ("an image declared as an index", IMAGE, OCI_INDEX),
    ("an index that holds layers", INDEX | {"layers": []}, OCI_INDEX),
    ("another type inside than declared", IMAGE, DOCKER_MANIFEST),
    ("a Docker type declared and none inside", _without(IMAGE, "mediaType"), DOCKER_MANIFEST),
    ("an unknown type declared and none inside", {"a": 1}, "application/vnd.example+json"),
    ("schema 1 declared", IMAGE, "application/vnd.docker.distribution.manifest.v1+json"),
    ("schema 1 inside", {"schemaVersion": 1, "name": "a"}, None),
    ("no schemaVersion", _without(IMAGE, "schemaVersion"), None),
    ("schemaVersion 3", IMAGE | {"schemaVersion": 3}, None),
    ("schemaVersion as text", IMAGE | {"schemaVersion": "2"}, None),
    ("schemaVersion true", IMAGE | {"schemaVersion": True}, None),
    ("no config", _without(IMAGE, "config"), None),
    ("a config that is null", IMAGE | {"config": None}, None),
    ("an index without manifests", _without(INDEX, "manifests"), OCI_INDEX),
    ("manifests that are no list", INDEX | {"manifests": {}}, None),
    ("layers that are no list", IMAGE | {"layers": {}}, None),
    ("a layer that is no object", IMAGE | {"layers": ["a"]}, None),
    ("mediaType that is no text", IMAGE | {"mediaType": 1}, None),
    ("mediaType with a line break", IMAGE | {"mediaType": "a/b\r\nX: y"}, None),
    ("annotations that are no map of texts", IMAGE | {"annotations": {"a": 1}}, None),
    ("a subject without a digest", IMAGE | {"subject": {"size": 1}}, None),
    *(
        (f"size {size!r}", IMAGE | {"layers": [LAYER | {"size": size}]}, None)
        for size in (-1, 1.0, 1e3, True, "1", None, 2**63, 10**30)
    ),
    *(
        (f"digest {digest!r}", IMAGE | {"layers": [LAYER | {"digest": digest}]}, None)
        for digest in ("", "sha256:", "sha256:..", "md5:" + "0" * 32, 1, None, ["a"])
    ),
    *((f"urls {urls!r}", IMAGE | {"layers": [LAYER | {"urls": urls}]}, None) for urls in ("a", [1], {"a": "b"})),
    ("a body that is null", None, None),
    ("a body that is a list", [], None),
    ("a body that is text", "a", None),
    ("a body that is a number", 1, None),
]


@pytest.mark.parametrize(("members", "declared"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(members: object, declared: str | None) -> None:
    """What is contradictory, incomplete or of the wrong kind is refused."""
    with pytest.raises(ManifestInvalid):
        parse(_bytes(members), declared)


BAD_BYTES = {
    "empty": b"",
    "half": _bytes(IMAGE)[:-1],
    "trailing junk": _bytes(IMAGE) + b"x",
    "two": _bytes(IMAGE) * 2,
    "a byte order mark": b"\xef\xbb\xbf" + _bytes(IMAGE),
    "UTF-16": _bytes(IMAGE).decode().encode("utf-16"),
    "no UTF-8": _bytes(IMAGE).replace(b"layers", b"l\xff"),
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "a member given twice": b'{"mediaType":"a/b","mediaType":"c/d"}',
    "a member given twice, deep inside": b'{"mediaType":"a/b","x":[{"y":{"z":1,"z":2}}]}',
    "a member given twice, once escaped": b'{"mediaType":"a/b","\\u006dediaType":"c/d"}',
    "a number of 5000 digits": b'{"a":' + b"1" * 5000 + b"}",
    "HTML": b"<!DOCTYPE html><html></html>",
    "NUL": b"\x00" * 100,
}


@pytest.mark.parametrize("content", BAD_BYTES.values(), ids=BAD_BYTES.keys())
def test_bytes_that_are_no_manifest(content: bytes) -> None:
    """What is not one strict JSON object is refused."""
    with pytest.raises(ManifestInvalid):
        parse(content, None)


def test_depth() -> None:
    """Nesting is bounded, and brackets within strings are not counted."""
    deep = b'{"mediaType":"a/b","x":' + b"[" * 63 + b"]" * 63 + b"}"

    assert parse(deep, None).media_type == "a/b"
    assert parse(_bytes({"mediaType": "a/b", "x": '[{"\\' * 1000}), None).media_type == "a/b"
    with pytest.raises(ManifestInvalid, match="nested"):
        parse(b'{"x":' + b"[" * 64 + b"]" * 64 + b"}", None)


@given(st.binary(max_size=1000), st.none() | st.sampled_from([OCI_MANIFEST, OCI_INDEX, DOCKER_LIST, "a/b"]))
def test_total_on_bytes(content: bytes, declared: str | None) -> None:
    """Any bytes are a manifest or ManifestInvalid."""
    _parse_or_refuse(content, declared)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
MEMBERS = ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "artifactType", "annotations"]


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON | st.sampled_from([2, OCI_MANIFEST, CONFIG, [LAYER]])))
def test_total_on_members(members: dict[str, Any]) -> None:
    """Any values of the members that mean something are a manifest or ManifestInvalid."""
    _parse_or_refuse(_bytes(members), None)


@given(st.dictionaries(st.text().filter(lambda key: key not in MEMBERS), JSON))
def test_unknown_members_change_nothing(members: dict[str, Any]) -> None:
    """Members that nobody knows leave an image what it is."""
    try:
        parsed = parse(_bytes(IMAGE | members), OCI_MANIFEST)
    except ManifestInvalid:  # NaN and the like
        return
    assert parsed == parse(_bytes(IMAGE), OCI_MANIFEST)


HUGE = {
    "brackets": b'{"a":[' + b"[]," * (MANIFEST_LIMIT // 3 - 10) + b"1]}",
    "open brackets": b"[" * MANIFEST_LIMIT,
    "one string": b'{"a":"' + b"x" * (MANIFEST_LIMIT - 10) + b'"}',
    "a string without an end": b'"' + b"x" * MANIFEST_LIMIT,
    "escapes": b'{"a":"' + b"\\n" * (MANIFEST_LIMIT // 2 - 10) + b'"}',
    "backslashes": b'"' + b"\\" * MANIFEST_LIMIT,
    "quotes": b'"' * MANIFEST_LIMIT,
    "digits": b'{"a":' + b"1" * MANIFEST_LIMIT + b"}",
    "a fraction": b'{"a":0.' + b"1" * (MANIFEST_LIMIT - 10) + b"}",
    "members": b"{" + b",".join(b'"%d":0' % number for number in range(MANIFEST_LIMIT // 12)) + b"}",
    "layers": _bytes(IMAGE | {"layers": [{"digest": "sha256:" + "a" * 64, "size": 3}] * (MANIFEST_LIMIT // 100)}),
}


@pytest.mark.parametrize("content", HUGE.values(), ids=HUGE.keys())
def test_linear(content: bytes) -> None:
    """The largest manifests of the most awkward shapes are read or refused in linear time."""
    with in_linear_time():
        _parse_or_refuse(content, None)


def _parse_or_refuse(content: bytes, declared: str | None) -> None:
    try:
        parsed = parse(content, declared)
    except ManifestInvalid:
        return
    assert isinstance(parsed, Parsed)
    assert parsed.media_type.isascii()
    assert parsed.media_type.isprintable()


@pytest.mark.parametrize(
    "members",
    [
        IMAGE | {"Manifests": INDEX["manifests"]},
        INDEX | {"Layers": [LAYER]},
        IMAGE | {"MEDIATYPE": OCI_INDEX},
        IMAGE | {"Layers": [LAYER]},
        IMAGE | {"\u017fubject": CONFIG},
        IMAGE | {"config": CONFIG | {"Digest": LAYER["digest"]}},
        IMAGE | {"layers": [LAYER | {"URLs": ["http://elsewhere.test"]}]},
    ],
    ids=["index in an image", "image in an index", "type", "layers", "long s", "digest", "urls"],
)
def test_a_member_in_another_case(members: dict[str, Any]) -> None:
    """R2: readers that ignore case would see another manifest than we do."""
    with pytest.raises(ManifestInvalid, match="some readers take it for that"):
        parse(_bytes(members), members["mediaType"])


def test_case_in_what_is_nobodys_business() -> None:
    """Annotations, and members that mean nothing here, are called what their authors like."""
    odd = IMAGE | {"annotations": {"Size": "1", "DIGEST": "2"}, "Other": {"Layers": 3}}

    assert parse(_bytes(odd), OCI_MANIFEST).annotations == {"Size": "1", "DIGEST": "2"}


@pytest.mark.parametrize(
    "own", ["text/html", "TEXT/HTML", "image/svg+xml", "multipart/mixed", "junk", "a/b/c", "a/b; c=d"]
)
def test_a_type_of_no_manifest(own: str) -> None:
    """Served as that, it could be run by a browser, or is nothing that a header may hold."""
    with pytest.raises(ManifestInvalid, match="no media type of a manifest"):
        parse(_bytes({"mediaType": own}), own)
