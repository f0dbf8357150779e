"""Error codes: one class each, as the specification's table has them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci import errors
from entrepot.oci.errors import (
    BlobUnknown,
    Denied,
    Errors,
    ManifestBlobUnknown,
    ManifestUnknown,
    RegistryError,
    UpstreamFailed,
    UpstreamUnreachable,
    encode,
    status_of,
)

# OCI distribution-spec "Error Codes", and those that CNCF Distribution adds.
CODES = {
    "BLOB_UNKNOWN": {404},
    "BLOB_UPLOAD_INVALID": {400, 404, 409},
    "BLOB_UPLOAD_UNKNOWN": {404},
    "DENIED": {403},
    "DIGEST_INVALID": {400},
    "MANIFEST_BLOB_UNKNOWN": {400},
    "MANIFEST_INVALID": {400, 413},
    "MANIFEST_UNKNOWN": {404},
    "MANIFEST_UNVERIFIED": {400},
    "NAME_INVALID": {400},
    "NAME_UNKNOWN": {404},
    "PAGINATION_NUMBER_INVALID": {400},
    "RANGE_INVALID": {416},
    "SIZE_INVALID": {400, 413},
    "TAG_INVALID": {400},
    "TOOMANYREQUESTS": {429},
    "UNAUTHORIZED": {401},
    "UNAVAILABLE": {503},
    "UNKNOWN": {500, 502, 503, 507, 508},
    "UNSUPPORTED": {405, 414, 415},
}


def _classes() -> list[type[RegistryError]]:
    named = vars(errors).values()
    return [one for one in named if isinstance(one, type) and issubclass(one, RegistryError) and one is not Errors]


def test_codes_are_the_specifications() -> None:
    """The classes have exactly the codes of the table, each with the statuses that are meant."""
    found: dict[str, set[int]] = {}
    for one in _classes():
        found.setdefault(one.code, set()).add(one.status)

    assert found == CODES


def test_every_class_says_something() -> None:
    """Every error has a message of its own or its family's, in printable ASCII."""
    assert all(one.message.isascii() and one.message.isprintable() and one.message for one in _classes())


def test_encoded() -> None:
    """The body is the specification's, with a detail only where there is one."""
    assert encode(ManifestUnknown()) == (b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}\n')
    assert json.loads(encode(BlobUnknown("sha256:0"))) == {
        "errors": [{"code": "BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": "sha256:0"}]
    }


def test_several_in_one_body() -> None:
    """Several refusals are listed in order, and the first decides the status."""
    several = Errors([ManifestBlobUnknown("a"), Denied("b")])

    assert [one["detail"] for one in json.loads(encode(several))["errors"]] == ["a", "b"]
    assert status_of(several) == 400
    assert str(several) == "blob unknown to registry: a; requested access to the resource is denied: b"


def test_unreachable_is_a_failure_of_the_upstream() -> None:
    """Who handles a failing upstream handles one that can not be reached, and can tell them apart by status."""
    assert isinstance(UpstreamUnreachable(), UpstreamFailed)
    assert (UpstreamFailed.status, UpstreamUnreachable.status) == (502, 503)


def test_headers_are_kept() -> None:
    """Headers that belong on the answer stay with the error."""
    assert Denied(headers=[("Retry-After", "5")]).headers == (("Retry-After", "5"),)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(JSON, st.sampled_from(_classes()))
def test_any_detail_is_encoded(detail: object, one: type[RegistryError]) -> None:
    """Any JSON value, with any characters, comes through in one line."""
    body = encode(one(detail))

    assert json.loads(body)["errors"][0].get("detail") == detail
    assert body.count(b"\n") == 1


@pytest.mark.parametrize("one", _classes())
def test_printed(one: type[RegistryError]) -> None:
    """An error prints as message and detail."""
    assert str(one("why")) == f"{one.message}: why"
    assert str(one()) == one.message
