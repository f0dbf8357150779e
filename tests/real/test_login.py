"""Real clients log in, with a password or a token, and do what they may; Distribution takes the same tokens."""

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from entrepot.testing.images import image
from entrepot.testing.origins import Origin
from entrepot.testing.token_service import PATH, TokenService
from tests.programs import need
from tests.real import skopeo
from tests.real.conftest import StartDockerd
from tests.real.docker_registry import DockerRegistry
from tests.real.layouts import dir_files, read_dir, write_dir
from tests.real.processes import ProgramFailed
from tests.servers import Server
from tests.tokens import token_settings

PASSWORDS = {"alice": "secret", "bob": "other"}


@pytest.fixture
def service() -> TokenService:
    """Alice may do everything in team/app, and everybody may pull from it."""
    return TokenService(passwords=PASSWORDS, granted={("alice", "team/app"): ["*"], ("", "team/app"): ["pull"]})


@pytest.fixture
def realm(service: TokenService) -> Iterator[str]:
    """Where the token service answers, in an event loop of its own."""
    loop, origin = asyncio.new_event_loop(), Origin(service.answer)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(origin.start(), loop).result(30)
    yield f"{origin.url}{PATH}"
    asyncio.run_coroutine_threadsafe(origin.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()


def settings_for(directory: Path, service: TokenService, realm: str) -> dict[str, Any]:
    """The section `auth`, with a realm that can be reached."""
    settings = token_settings(directory, service)
    return {"token": {**settings["token"], "realm": realm}}


@pytest.fixture
def htpasswd(tmp_path: Path) -> dict[str, Any]:
    """The section `auth`, with a file of passwords."""
    path = tmp_path / "htpasswd"
    lines = [f"{name}:{bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()}" for name, word in PASSWORDS.items()]
    path.write_text("\n".join(lines))
    return {"htpasswd": {"realm": "realm", "path": str(path)}}


def push_and_pull(address: str, directory: Path) -> None:
    """As alice, who logs in first."""
    pushed, authfile = image(2), directory / "auth.json"
    source = write_dir(directory / "in", pushed)
    with pytest.raises(ProgramFailed):
        skopeo.copy(source, f"docker://{address}/team/app:v1")
    with pytest.raises(ProgramFailed):
        skopeo.login(address, "alice", "wrong", authfile)
    skopeo.login(address, "alice", "secret", authfile)
    options = ("--authfile", str(authfile))
    skopeo.copy(source, f"docker://{address}/team/app:v1", *options)
    skopeo.copy(f"docker://{address}/team/app:v1", f"dir:{directory}/out", *options)
    assert dir_files(pushed) == read_dir(directory / "out")


@pytest.mark.usefixtures("skopeo_installed")
def test_skopeo_logs_in_with_a_password(tmp_path: Path, htpasswd: dict[str, Any]) -> None:
    """Then it pushes and pulls; without it does neither."""
    with Server(tmp_path / "server", {"auth": htpasswd}) as server:
        push_and_pull(server.address, tmp_path)
        with pytest.raises(ProgramFailed):
            skopeo.copy(f"docker://{server.address}/team/app:v1", f"dir:{tmp_path}/again")


@pytest.mark.usefixtures("skopeo_installed")
def test_skopeo_logs_in_with_a_token(tmp_path: Path, service: TokenService, realm: str) -> None:
    """Everybody pulls what everybody may; bob may not push, nor alice elsewhere."""
    with Server(tmp_path / "server", {"auth": settings_for(tmp_path, service, realm)}) as server:
        push_and_pull(server.address, tmp_path)
        skopeo.copy(f"docker://{server.address}/team/app:v1", f"dir:{tmp_path}/again")
        for user, name in (("bob", "team/app"), ("alice", "team/other")):
            authfile = tmp_path / f"{user}.json"
            skopeo.login(server.address, user, PASSWORDS[user], authfile)
            with pytest.raises(ProgramFailed):
                skopeo.copy(f"dir:{tmp_path}/in", f"docker://{server.address}/{name}:v2", "--authfile", str(authfile))


@pytest.fixture(params=["password", "token"])
def auth(request: pytest.FixtureRequest, tmp_path: Path, service: TokenService, realm: str) -> dict[str, Any]:
    """The section `auth`, of either kind."""
    if request.param == "token":
        return settings_for(tmp_path, service, realm)
    found: dict[str, Any] = request.getfixturevalue("htpasswd")
    return found


@pytest.mark.usefixtures("skopeo_installed")
def test_docker_logs_in(tmp_path: Path, start_dockerd: StartDockerd, auth: dict[str, Any]) -> None:
    """And pushes and pulls."""
    with Server(tmp_path / "server", {"auth": auth}) as server:
        dockerd, name = start_dockerd(), f"{server.address}/team/app:v1"
        archive = tmp_path / "image.tar"
        skopeo.convert(write_dir(tmp_path / "in", image(1)), f"docker-archive:{archive}:{name}")
        dockerd.docker("load", "--input", str(archive))
        with pytest.raises(ProgramFailed):
            dockerd.docker("push", name)
        with pytest.raises(ProgramFailed):
            dockerd.docker("login", "-u", "alice", "-p", "wrong", server.address)
        assert "Login Succeeded" in dockerd.docker("login", "-u", "alice", "-p", "secret", server.address)
        dockerd.docker("push", name)
        dockerd.docker("rmi", name)
        dockerd.docker("pull", name)


def test_distribution_takes_and_refuses_the_same_tokens(tmp_path: Path, service: TokenService) -> None:
    """With the same status and the same challenge, but for the order of what is wanted."""
    need("docker-registry")
    auth = token_settings(tmp_path, service)
    access = [{"type": "repository", "name": "team/app", "actions": ["pull"]}]
    tokens = {
        "none": None,
        "good": service.token("alice", access),
        "nothing granted": service.token("alice", []),
        "ended": service.token("alice", access, exp=1),
        "another issuer": service.token("alice", access, iss="other"),
        "another service": service.token("alice", access, aud="other"),
        "a stranger's": TokenService(passwords={}, granted={}).token("alice", access),
        "garbage": "garbage",
    }
    with DockerRegistry(tmp_path / "theirs", auth=auth) as theirs, Server(tmp_path / "ours", {"auth": auth}) as ours:
        for name, token in tokens.items():
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            for method, path in (
                ("GET", "/v2/"),
                ("GET", "/v2/_catalog"),
                ("GET", "/v2/team/app/tags/list"),
                ("POST", "/v2/team/app/blobs/uploads/"),
                ("DELETE", "/v2/team/app/manifests/latest"),
            ):
                answers = [
                    httpx.request(method, f"{url}{path}", headers=headers, trust_env=False)
                    for url in (theirs.url, ours.url)
                ]
                assert _compared(answers[0]) == _compared(answers[1]), (name, method, path)


def _compared(answer: httpx.Response) -> tuple[int, list[str]]:
    """Status and challenge, whose scopes Distribution tells in any order."""
    challenge = answer.headers.get("WWW-Authenticate", "")
    parts = re.findall(r'(\w+)="([^"]*)"', challenge)
    return answer.status_code, sorted(
        f"{name}={_in_order(value) if name == 'scope' else value}" for name, value in parts
    )


def _in_order(scope: str) -> list[tuple[str, list[str]]]:
    """Things and what is wanted of them."""
    resources = (one.rpartition(":") for one in scope.split())
    return sorted((name, sorted(actions.split(","))) for name, _, actions in resources)
