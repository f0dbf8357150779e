"""Signed tokens: which are believed, what they grant, and how all others are refused."""

import base64
import hmac
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey

from entrepot.auth.base import Access, Grant, Presented
from entrepot.auth.keys import TrustedKeys, fingerprint
from entrepot.auth.token import Token
from entrepot.oci.errors import Unauthorized
from tests.unit.auth.authority import Party, new_party

NOW = 1_800_000_000.0
PULL, PUSH = Access("repository", "app", "pull"), Access("repository", "app", "push")
CATALOG = Access("registry", "catalog", "*")
ALL = ("EdDSA", *(family + bits for family in ("HS", "RS", "ES", "PS") for bits in ("256", "384", "512")))


class Clock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def party() -> Party:
    """Whom the registry trusts."""
    return new_party()


@pytest.fixture(scope="module")
def stranger() -> Party:
    """Whom it does not."""
    return new_party()


def believing(
    *certificates: Party, keys: Sequence[dict[str, Any]] = (), directory: Path | None = None, **options: Any
) -> Token:
    """An authenticator that trusts the certificates, and the keys of a set, read as from its files."""
    bundle = jwks = ""
    if directory is not None and keys:
        (directory / "jwks").write_text(json.dumps({"keys": list(keys)}))
        jwks = str(directory / "jwks")
    if directory is not None and certificates:
        (directory / "bundle").write_bytes(b"".join(one.pem for one in certificates))
        bundle = str(directory / "bundle")
    trusted = (
        TrustedKeys.read(bundle, jwks) if bundle or jwks else TrustedKeys([one.certificate for one in certificates], [])
    )
    settings = {"realm": "https://auth/token", "service": "registry", "issuer": "issuer", "algorithms": ALL}
    return Token(trusted, **{**settings, "clock": lambda: NOW, **options})


def claims(**others: Any) -> dict[str, Any]:
    """Those of a good token, with others in their place; None leaves one out."""
    access = [{"type": "repository", "name": "app", "actions": ["pull"]}]
    told = {"iss": "issuer", "aud": "registry", "sub": "alice", "exp": NOW + 100, "nbf": NOW - 5, "access": access}
    return {name: value for name, value in {**told, **others}.items() if value is not None}


def bearer(token: str) -> Presented:
    return Presented(f"Bearer {token}")


async def grant_of(token: Token, text: str, *wanted: Access) -> Grant:
    return await token.authorize(bearer(text), wanted or [PULL])


async def refusal_of(token: Token, presented: Presented, *wanted: Access) -> str:
    """The challenge of the refusal."""
    with pytest.raises(Unauthorized) as raised:
        await token.authorize(presented, wanted)
    [(name, challenge)] = raised.value.headers
    assert name == "www-authenticate"
    return challenge


@pytest.mark.parametrize("kind", ["RSA", "EC", "Ed25519"])
@pytest.mark.parametrize("source", ["bundle", "jwks"])
async def test_a_key_is_known_by_its_id(tmp_path: Path, kind: str, source: str) -> None:
    """libtrust's, as for Distribution 2.x, RFC 7638's, as for 3.x, and whatever a key set says."""
    party = new_party(kind)
    if source == "bundle":
        token, ids = believing(party, directory=tmp_path), [fingerprint(party.certificate), party.key.thumbprint()]
    else:
        token, ids = believing(keys=[{**party.public_jwk, "kid": "mine"}], directory=tmp_path), ["mine"]

    for kid in ids:
        assert (await grant_of(token, party.sign(claims(), kid=kid))).user == "alice"
    for header in ({}, {"kid": "other"}, {"kid": ""}):
        assert 'error="invalid_token"' in await refusal_of(token, bearer(party.sign(claims(), **header)))


async def test_a_shared_secret_may_be_in_a_key_set(tmp_path: Path) -> None:
    """As Distribution 3.x allows it."""
    secret = OctKey.generate_key(256)
    token = believing(keys=[{**secret.as_dict(), "kid": "shared"}], directory=tmp_path)
    text = jwt.encode({"alg": "HS256", "kid": "shared"}, claims(), secret, algorithms=["HS256"])

    assert (await grant_of(token, text)).user == "alice"


async def test_a_certificate_in_the_bundle_may_come_with_the_token(party: Party, stranger: Party) -> None:
    """Itself, or one that it has signed, also by way of another; nobody else's."""
    token = believing(party)
    middle = new_party("RSA", party)
    leaf = new_party("Ed25519", middle, is_authority=False)
    direct = new_party("RSA", party, is_authority=False)

    for text in (
        party.sign(claims(), x5c=[party.x5c]),
        direct.sign(claims(), x5c=[direct.x5c]),
        leaf.sign(claims(), x5c=[leaf.x5c, middle.x5c]),
        leaf.sign(claims(), jwk={**leaf.public_jwk, "x5c": [leaf.x5c, middle.x5c]}),
    ):
        assert (await grant_of(token, text)).user == "alice"

    below_leaf = new_party("EC", direct, is_authority=False)
    expired = new_party("EC", party, is_authority=False, days=-1)
    for text in (
        stranger.sign(claims(), x5c=[stranger.x5c]),
        stranger.sign(claims(), x5c=[stranger.x5c, party.x5c]),
        stranger.sign(claims(), x5c=[party.x5c]),
        leaf.sign(claims(), x5c=[leaf.x5c]),
        below_leaf.sign(claims(), x5c=[below_leaf.x5c, direct.x5c]),
        expired.sign(claims(), x5c=[expired.x5c]),
    ):
        assert 'error="invalid_token"' in await refusal_of(token, bearer(text))


async def test_a_trusted_certificate_that_has_expired_is_not_trusted() -> None:
    """Though it lies in the bundle."""
    old = new_party(days=-1)
    assert 'error="invalid_token"' in await refusal_of(believing(old), bearer(old.sign(claims(), x5c=[old.x5c])))


@pytest.mark.parametrize("x5c", [[], "text", [1], ["***"], [""], None, {}, ["AAAA"] * 11, [["AAAA"]]])
async def test_what_is_no_chain_is_refused(party: Party, x5c: object) -> None:
    """Whatever it is instead."""
    header = _encoded({"alg": "ES256", "x5c": x5c})
    text = f"{header}.{_encoded(claims())}.{'A' * 86}"
    assert 'error="invalid_token"' in await refusal_of(believing(party), bearer(text))


async def test_a_key_that_a_token_brings_is_not_believed(party: Party, stranger: Party) -> None:
    """Though it says that it is the trusted one (CVE-2025-24976)."""
    token = believing(party)
    known = fingerprint(party.certificate)

    assert (await grant_of(token, party.sign(claims(), jwk=party.public_jwk))).user == "alice"
    for header in (
        {"jwk": {**stranger.public_jwk, "kid": known}},
        {"jwk": {**stranger.public_jwk, "kid": known}, "kid": known},
        {"jwk": party.public_jwk},
        {"kid": known},
        {"kid": known, "jku": "https://attacker/keys"},
    ):
        assert 'error="invalid_token"' in await refusal_of(token, bearer(stranger.sign(claims(), **header)))


@pytest.mark.parametrize("jwk", ["text", 7, [], {}, {"kty": "EC"}, {"kty": "x", "x5c": "y"}, None])
async def test_what_is_no_key_is_refused(party: Party, jwk: object) -> None:
    """Whatever it is instead."""
    text = f"{_encoded({'alg': 'ES256', 'jwk': jwk})}.{_encoded(claims())}.{'A' * 86}"
    assert 'error="invalid_token"' in await refusal_of(believing(party), bearer(text))


async def test_the_algorithm_must_be_that_of_the_key() -> None:
    """No signature, and a public key taken for a shared secret, are the oldest tricks (CVE-2022-29217)."""
    party = new_party("RSA")
    token, kid = believing(party), fingerprint(party.certificate)
    public = party.private.public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ):
        signed = f"{_encoded({'alg': 'HS256', 'kid': kid})}.{_encoded(claims())}"
        signature = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), "sha256")).decode().rstrip("=")
        text = f"{signed}.{signature}"
        assert 'error="invalid_token"' in await refusal_of(token, bearer(text))
    for algorithm in ("none", "None", "", None, "RS999", 1):
        for ending in ("", "AAAA"):
            text = f"{_encoded({'alg': algorithm, 'kid': kid})}.{_encoded(claims())}.{ending}"
            assert 'error="invalid_token"' in await refusal_of(token, bearer(text))


async def test_only_allowed_algorithms_count(party: Party) -> None:
    """However well it is signed."""
    text = party.sign(claims(), kid=fingerprint(party.certificate))
    assert (await grant_of(believing(party, algorithms=["ES256"]), text)).user == "alice"
    assert 'error="invalid_token"' in await refusal_of(believing(party, algorithms=["RS256", "ES384"]), bearer(text))


GOOD = {
    "aud in a list": {"aud": ["other", "registry"]},
    "ended less than a minute ago": {"exp": NOW - 59},
    "begins in less than a minute": {"nbf": NOW + 59},
    "no nbf": {"nbf": None},
    "no sub": {"sub": None},
    "further claims": {"jti": "1", "more": {"a": [1]}},
    "a long list": {
        "access": [{"type": "repository", "name": name, "actions": ["pull"]} for name in ("x" * 9999, "app")]
    },
}
BAD = {
    "wrong iss": {"iss": "other"},
    "no iss": {"iss": None},
    "iss of another type": {"iss": ["issuer"]},
    "wrong aud": {"aud": "other"},
    "aud begins like it": {"aud": "registry2"},
    "no aud": {"aud": None},
    "empty aud": {"aud": []},
    "aud of another type": {"aud": {"registry": 1}},
    "ended": {"exp": NOW - 61},
    "no exp": {"exp": None},
    "exp of another type": {"exp": "never"},
    "exp true": {"exp": True},
    "exp endless": {"exp": float("inf")},
    "exp no number": {"exp": float("nan")},
    "not begun": {"nbf": NOW + 62},
    "nbf of another type": {"nbf": "now"},
    "sub of another type": {"sub": 7},
    "access is text": {"access": "repository:app:pull"},
    "access is a number": {"access": 7},
    "access holds numbers": {"access": [7]},
    "access holds lists": {"access": [["repository", "app", "pull"]]},
    "access without type": {"access": [{"name": "app", "actions": ["pull"]}]},
    "access without name": {"access": [{"type": "repository", "actions": ["pull"]}]},
    "access with a name of another type": {"access": [{"type": "repository", "name": ["app"], "actions": ["pull"]}]},
    "actions are text": {"access": [{"type": "repository", "name": "app", "actions": "pull"}]},
}


@pytest.mark.parametrize("others", GOOD.values(), ids=GOOD)
async def test_a_good_token_is_believed(party: Party, others: dict[str, Any]) -> None:
    """With clocks that differ by a minute."""
    text = party.sign(claims(**others), kid=fingerprint(party.certificate))
    assert (await grant_of(believing(party), text)).allows(PULL)


@pytest.mark.parametrize("others", BAD.values(), ids=BAD)
async def test_a_bad_token_is_refused_and_not_an_error(party: Party, others: dict[str, Any]) -> None:
    """Whatever is wrong with it, the client may come with another."""
    text = party.sign(claims(**others), kid=fingerprint(party.certificate))
    assert 'error="invalid_token"' in await refusal_of(believing(party), bearer(text), PULL)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
async def test_garbage_is_refused(garbage: str) -> None:
    """In any part of it."""
    token = believing(new_party("Ed25519"))
    for text in (garbage, f"{garbage}.{garbage}.{garbage}", f"{_encoded({'alg': 'ES256'})}.{garbage}."):
        await refusal_of(token, bearer(text), PULL)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token {}", "{}", "Bearer\t{}"], ids=ascii
)
async def test_what_is_no_bearer_token_is_as_none(party: Party, header: str | None) -> None:
    """The client is told where to get one, not that it was wrong."""
    text = party.sign(claims(), kid=fingerprint(party.certificate))
    presented = Presented(None if header is None else header.format(text))
    assert "error" not in await refusal_of(believing(party), presented, PULL)


async def test_the_scheme_may_be_written_in_any_case(party: Party) -> None:
    """RFC 9110 §11.1."""
    text = party.sign(claims(), kid=fingerprint(party.certificate))
    for scheme in ("bearer", "BEARER", "Bearer"):
        assert (await believing(party).authorize(Presented(f"{scheme} {text}"), [PULL])).user == "alice"


async def test_what_a_token_does_not_grant_is_refused(party: Party) -> None:
    """The scope that is missing is told, with all that is wanted of one thing together."""
    text = party.sign(claims(), kid=fingerprint(party.certificate))
    challenge = await refusal_of(believing(party), bearer(text), PULL, PUSH, Access("repository", "b/c", "pull"))
    assert challenge == (
        'Bearer realm="https://auth/token",service="registry",'
        'scope="repository:app:pull,push repository:b/c:pull",error="insufficient_scope"'
    )


async def test_a_challenge_for_nothing_in_particular_names_no_scope(party: Party) -> None:
    """And what an operator has written is quoted."""
    token = believing(party, realm='https://auth/"x"', service="back\\slash")
    assert await refusal_of(token, Presented(None)) == ('Bearer realm="https://auth/\\"x\\"",service="back\\\\slash"')


async def test_the_realm_may_be_on_the_host_that_was_asked(party: Party) -> None:
    """By the scheme that its client used."""
    token = believing(party, redirect_path="/auth/token")
    presented = Presented(None, scheme="https", host="registry.example:5000")
    assert await refusal_of(token, presented, CATALOG) == (
        'Bearer realm="https://registry.example:5000/auth/token",service="registry",scope="registry:catalog:*"'
    )


async def test_entries_for_the_same_thing_add_up(party: Party) -> None:
    """And `*` is every action."""
    access = [
        {"type": "repository", "name": "app", "actions": ["pull"]},
        {"type": "repository", "name": "app", "actions": ["push"]},
        {"type": "repository(plugin)", "name": "plug", "actions": ["pull"]},
        {"type": "repository", "class": "image", "name": "img", "actions": ["pull"]},
        {"type": "repository", "name": "any", "actions": ["*"]},
        {"type": "repository", "name": "none"},
        {"type": "registry", "name": "catalog", "actions": ["*"]},
    ]
    text = party.sign(claims(access=access), kid=fingerprint(party.certificate))
    grant = await grant_of(believing(party), text, PULL, PUSH, CATALOG)

    assert grant.allows(Access("repository", "any", "delete"))
    assert grant.allows(Access("repository", "plug", "pull"))
    for name, action in (("app", "delete"), ("none", "pull"), ("other", "pull"), ("plug", "push")):
        assert not grant.allows(Access("repository", name, action))
    assert not grant.allows(Access("registry", "app", "pull"))
    classes = {name: sorted(grant.classes[name]) for name in ("plug", "img", "app")}
    assert classes == {"plug": ["plugin"], "img": ["image"], "app": ["image"]}


async def test_a_token_is_remembered_until_it_ends(party: Party) -> None:
    """And what it grants is looked at each time."""
    clock = Clock()
    token = believing(party, clock=clock)
    presented = bearer(party.sign(claims(), kid=fingerprint(party.certificate)))
    assert token.known(presented) is None
    grant = await token.authorize(presented, [PULL])
    assert token.known(presented) == grant
    assert 'error="insufficient_scope"' in await refusal_of(token, presented, PUSH)

    clock.now = NOW + 159
    assert token.known(presented) == grant
    clock.now = NOW + 161
    assert token.known(presented) is None
    assert 'error="invalid_token"' in await refusal_of(token, presented, PULL)


FILES: dict[str, tuple[Callable[[Path], tuple[str, str]], str]] = {
    "no bundle": (lambda path: (str(path / "none"), ""), "cannot read .*none: No such file"),
    "no key set": (lambda path: ("", str(path / "none")), "cannot read .*none: No such file"),
    "an empty bundle": (lambda path: (_write(path, ""), ""), "holds no certificate"),
    "a bundle with garbage": (
        lambda path: (_write(path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), ""),
        "holds a certificate that cannot be used",
    ),
    "no JSON": (lambda path: ("", _write(path, "keys")), "holds no JSON Web Key Set"),
    "no set": (lambda path: ("", _write(path, "[]")), "holds no JSON Web Key Set"),
    "no keys": (lambda path: ("", _write(path, '{"keys": []}')), "holds no"),
    "a key that is none": (lambda path: ("", _write(path, '{"keys": [{"kty": "x"}]}')), "holds no JSON Web Key Set"),
}


@pytest.mark.parametrize(("make", "reason"), FILES.values(), ids=FILES)
def test_files_that_are_no_good_are_told(tmp_path: Path, make: Callable[[Path], tuple[str, str]], reason: str) -> None:
    """When the registry is started, by their names."""
    with pytest.raises(ValueError, match=reason):
        TrustedKeys.read(*make(tmp_path))


def _write(directory: Path, text: str) -> str:
    path = directory / "file"
    path.write_text(text)
    return str(path)


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
