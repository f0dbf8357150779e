"""Credentials from a Docker `config.json`: every form of an entry, helpers, changes, and files that are no good."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.testing import images
from entrepot.testing.demands import BasicDemand, BearerDemand
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.base import Credentials
from entrepot.upstream.docker_config import DockerConfigCredentials, Login, key_of, parse_login
from tests.unit.upstream.conftest import NAME, TAG, Connect
from tests.unit.upstream.programs import Helper, answer, make_helper

HOST = "registry.example:5000"
URL = f"https://{HOST}"
KNOWN = Credentials("user", "planted")
AUTH = base64.b64encode(b"user:planted").decode()


def _login(members: Any, host: str = HOST) -> Login:
    return parse_login(json.dumps(members).encode(), host)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": AUTH}, KNOWN),
        ({"auth": base64.b64encode(b"user:planted\0\0").decode()}, KNOWN),
        ({"auth": base64.b64encode(b"user:a:b").decode()}, Credentials("user", "a:b")),
        ({"username": "user", "password": "planted"}, KNOWN),
        ({"auth": AUTH, "identitytoken": "token"}, Credentials("", "", "token")),
        ({}, None),
        ({"auth": ""}, None),
        ({"auth": base64.b64encode(b"no colon").decode()}, None),
        ({"email": "user@example.com"}, None),
        (None, None),
        ("planted", None),
    ],
)
def test_entries(entry: Any, expected: Credentials | None) -> None:
    """A base64 pair, a name and a password, or an identity token, which comes first; an empty entry is none."""
    assert _login({"auths": {HOST: entry}}).credentials == expected


@pytest.mark.parametrize("key", [HOST, f"https://{HOST}", f"https://{HOST}/v1/", f"http://{HOST}/v2/"])
def test_keys(key: str) -> None:
    """A host may be written as a URL."""
    assert _login({"auths": {"other.example": {"auth": "x"}, key: {"auth": AUTH}}}).credentials == KNOWN


@pytest.mark.parametrize(
    "key", ["registry.example", "registry.example:443", f"https://{HOST}.evil", f"evil/{HOST}", ""]
)
def test_other_keys(key: str) -> None:
    """What is for another host is for nobody else."""
    assert _login({"auths": {key: {"auth": AUTH}}}).credentials is None


@pytest.mark.parametrize("host", ["registry-1.docker.io", "index.docker.io", "docker.io"])
def test_docker_hub(host: str) -> None:
    """Docker Hub is known by the address of its first API."""
    assert key_of(host) == "https://index.docker.io/v1/"
    assert _login({"auths": {"https://index.docker.io/v1/": {"auth": AUTH}}}, host).credentials == KNOWN


def test_helpers() -> None:
    """The helper of a host comes before the store for all; what the file holds itself stays beside it."""
    members = {"auths": {HOST: {"auth": AUTH}}, "credHelpers": {HOST: "ecr-login"}, "credsStore": "pass"}

    assert _login(members) == Login(KNOWN, "ecr-login")
    assert _login(members, "other.example") == Login(None, "pass")
    assert _login({"credsStore": ""}) == Login()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"planted",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b"{" + b" " * 2_000_000 + b"}",
        b'{"auths":{"registry.example:5000":{"auth":"planted!"}}}',
        b'{"credsStore":"../../bin/planted"}',
        b'{"credsStore":"a planted"}',
        b'{"credHelpers":{"registry.example:5000":["planted"]}}',
    ],
)
def test_files_that_are_no_good(content: bytes) -> None:
    """They are refused, without any of their content in the reason."""
    with pytest.raises(ValueError, match=r".") as refusal:
        parse_login(content, HOST)

    assert "planted" not in str(refusal.value)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_total(value: Any) -> None:
    """Whatever stands where credentials are looked for, there are some, none, or a reason."""
    for members in (value, {"auths": value}, {"auths": {HOST: value}}, {"auths": {HOST: {"auth": value}}}):
        try:
            found = _login(members)
        except ValueError:
            continue
        assert isinstance(found, Login)


async def test_read_again_when_it_changes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file that is written, replaced, damaged or removed counts as it is now; a bad one is told once."""
    path = tmp_path / "config.json"
    source = DockerConfigCredentials(URL, str(path))

    async def found() -> Credentials | None:
        return await source.credentials(HOST)

    assert await found() is None
    path.write_text(json.dumps({"auths": {HOST: {"auth": AUTH}}}))
    assert await found() == KNOWN
    other = tmp_path / "other"
    other.write_text(json.dumps({"auths": {HOST: {"username": "user", "password": "second"}}}))
    other.replace(path)
    assert await found() == Credentials("user", "second")
    capfd.readouterr()
    path.write_text("planted")
    assert [await found() for _ in range(5)] == [None] * 5
    written = "".join(capfd.readouterr())
    assert written.count("upstream_credentials_failed") == 1
    assert "planted" not in written
    path.unlink()
    assert await found() is None


async def test_the_own_host_only(tmp_path: Path) -> None:
    """What the file says of other hosts is not told, whoever asks."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {HOST: {"auth": AUTH}, "other.example": {"auth": AUTH}}}))
    source = DockerConfigCredentials(URL, str(path))

    assert await source.credentials("other.example") is None
    assert await source.credentials(HOST) == KNOWN


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helper:
    """`docker-credential-test`, where programs are looked for."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return make_helper(tmp_path / "docker-credential-test", answer("user", "helped"))


@pytest.mark.parametrize("members", [{"credHelpers": {HOST: "test"}}, {"credsStore": "test"}])
async def test_a_helper_is_run(tmp_path: Path, helper: Helper, members: dict[str, Any]) -> None:
    """What the helper knows counts before what the file holds; its answer is kept for a while."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**members, "auths": {HOST: {"auth": AUTH}}}))
    source = DockerConfigCredentials(URL, str(path))
    for _ in range(3):
        assert await source.credentials(HOST) == Credentials("user", "helped")

    assert helper.asked == [f"get {HOST}"]


async def test_a_helper_for_docker_hub(tmp_path: Path, helper: Helper) -> None:
    """It is asked by the name under which Docker keeps it."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": "test"}))
    source = DockerConfigCredentials("https://registry-1.docker.io", str(path))

    assert await source.credentials("registry-1.docker.io") == Credentials("user", "helped")
    assert helper.asked == ["get https://index.docker.io/v1/"]


async def test_a_helper_that_knows_nothing(tmp_path: Path, helper: Helper) -> None:
    """Then what the file holds itself counts."""
    make_helper(helper.path, "echo credentials not found in native keychain; exit 1")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": "test", "auths": {HOST: {"auth": AUTH}}}))

    assert await DockerConfigCredentials(URL, str(path)).credentials(HOST) == KNOWN


async def test_a_password_that_is_changed(upstream: TestUpstream, connect: Connect, tmp_path: Path) -> None:
    """After a new `docker login` the upstream is asked with the new password, without a restart."""
    upstream.demand = BasicDemand("user", "first")
    expected = upstream.add_image(NAME, TAG, images.image())
    path = tmp_path / "config.json"
    host = upstream.url.removeprefix("http://")
    client = connect(credentials=DockerConfigCredentials(upstream.url, str(path)))
    for password in ("first", "second and longer"):
        upstream.demand.password = password
        path.write_text(json.dumps({"auths": {host: {"username": "user", "password": password}}}))
        assert await client.resolve(NAME, TAG) == expected


async def test_identity_token(upstream: TestUpstream, connect: Connect, tmp_path: Path) -> None:
    """An identity token is exchanged for tokens in a form, never in a URL, and the registry does not see it."""
    upstream.demand = demand = BearerDemand(identity_token="planted", path="/oauth2/token", member="access_token")
    expected = upstream.add_image(NAME, TAG, images.image())
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {upstream.url: {"identitytoken": "planted"}}}))
    client = connect(credentials=DockerConfigCredentials(upstream.url, str(path)))
    assert await client.resolve(NAME, TAG) == expected
    assert await client.resolve(NAME, TAG) == expected

    (asked,) = (seen for seen in upstream.origin.requests if seen.path == "/oauth2/token")
    assert asked.form["scope"] == [f"repository:{NAME}:pull"]
    assert (asked.method, asked.query, demand.issued) == ("POST", {}, 1)
    assert upstream.origin.received.count(b"planted") == 1
