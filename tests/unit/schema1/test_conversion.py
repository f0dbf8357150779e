"""Images made into schema 1. That Distribution makes the same of them is shown in tests/interchange."""

import gzip
import io
import json
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestInvalid
from entrepot.oci.schema1 import layers_of
from entrepot.schema1.conversion import EMPTY_DIGEST, EMPTY_LAYER, convert

LAYER = Digest.of(b"layer")


def config(**members: Any) -> bytes:
    """A configuration of one step and one layer, unless told otherwise."""
    whole = {"rootfs": {"diff_ids": ["sha256:0"]}, "history": [{}], "architecture": "amd64"} | members
    return json.dumps(whole).encode()


def converted(content: bytes, *layers: Digest) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(convert(content, layers or [LAYER], "team/app", "v1"))
    return payload


def test_names_and_layers() -> None:
    """Newest first."""
    layers = [Digest.of(b"1"), Digest.of(b"2")]
    steps = [{"created_by": "a"}, {"empty_layer": True}, {"created_by": "c"}]

    made = converted(config(rootfs={"diff_ids": ["1", "2"]}, history=steps), *layers)

    assert (made["schemaVersion"], made["name"], made["tag"]) == (1, "team/app", "v1")
    assert [one["blobSum"] for one in made["fsLayers"]] == [layers[1], EMPTY_DIGEST, layers[0]]
    assert len(layers_of(made)) == 3


def test_each_step_names_the_one_before() -> None:
    """The oldest has none."""
    made = converted(config(rootfs={"diff_ids": ["1", "2"]}, history=[{}, {}]), LAYER, LAYER)
    newest, oldest = (json.loads(one["v1Compatibility"]) for one in made["history"])

    assert newest["parent"] == oldest["id"]
    assert "parent" not in oldest


def test_the_newest_step_is_the_configuration_with_its_numbers_as_they_were() -> None:
    """Without what schema 1 has no members for."""
    [only] = converted(config(big=12345678901234567890, config={"Memory": 1.50}))["history"]
    members = json.loads(only["v1Compatibility"])

    assert members["big"] == 12345678901234567890
    assert {"rootfs", "history"}.isdisjoint(members)


def test_the_empty_layer_is_a_tar_without_files() -> None:
    """As gzip writes it."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(EMPTY_LAYER))) as tar:
        assert tar.getmembers() == []
    assert EMPTY_DIGEST == "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"no json",
        b"\xff",
        b"{" * 10_000,
        config(history=[]),
        config(history=None),
        config(history={}),
        config(history=[1]),
        config(history=[{}, {}]),
        config(rootfs=None),
        config(rootfs={}),
        config(rootfs={"diff_ids": ["1", "2"]}),
        config(history=[{"created": "yesterday"}, {"empty_layer": True}]),
        config(history=[{"created": 5}, {"empty_layer": True}]),
        json.dumps({"rootfs": {"diff_ids": ["sha256:0"]}}).encode(),
    ],
)
def test_what_cannot_be_converted_is_refused(content: bytes) -> None:
    """With the reason."""
    with pytest.raises(ManifestInvalid, match=r".*"):
        convert(content, [LAYER], "a", "v1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), JSON, max_size=5), JSON, st.none() | st.integers(0, 8))
def test_any_configuration_is_converted_or_refused(members: dict[str, Any], step: Any, indent: int | None) -> None:
    """Never is there another error, and what comes out is JSON with the members that went in."""
    fixed = {"rootfs": {"diff_ids": ["1"]}, "history": [step, {}] if step != {} else [{}]}
    content = json.dumps(members | fixed, indent=indent, ensure_ascii=False)

    try:
        made = json.loads(convert(content.encode(errors="surrogatepass"), [LAYER], "a", "v1"))
    except ManifestInvalid:
        return
    newest = json.loads(made["history"][0]["v1Compatibility"])
    kept = {
        key: value for key, value in members.items() if key not in ("rootfs", "history", "id", "parent", "throwaway")
    }
    assert newest | kept == newest


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"fsLayers": [], "history": None},
        {"fsLayers": [{"blobSum": LAYER}], "history": []},
        {"fsLayers": [{"blobSum": "sha256:0"}], "history": [{}]},
        {"fsLayers": [{"blobSum": 1}], "history": [{}]},
        {"fsLayers": [1], "history": [{}]},
        {"fsLayers": [{}] * 10_001, "history": [{}] * 10_001},
    ],
)
def test_layers_must_be_named_one_for_each_step(members: dict[str, Any]) -> None:
    """By digests."""
    with pytest.raises(ManifestInvalid):
        layers_of(members)
