"""Nobody gets to anything without what his request needs, by whatever way it is answered."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from entrepot.testing.images import image, random_blob
from entrepot.testing.token_service import TokenService
from entrepot.testing.upstreams import ThreadedUpstream
from tests.api.checks import snapshot
from tests.process.command import check_cannot_start, serve
from tests.repositories import Repository, error_codes
from tests.servers import Server
from tests.tokens import token_settings

DIGEST = f"sha256:{'0' * 64}"
UPLOAD = "b5e5b2f0-7d0a-4b39-9a25-6f1de2f2f0aa"
ROUTES = {
    "/v2/": [],
    "/v2/_catalog": ["registry:catalog:*"],
    "/v2/team/app/tags/list": ["team/app"],
    f"/v2/team/app/referrers/{DIGEST}": ["team/app"],
    "/v2/team/app/manifests/latest": ["team/app"],
    f"/v2/team/app/blobs/{DIGEST}": ["team/app"],
    "/v2/team/app/blobs/uploads/": ["team/app"],
    f"/v2/team/app/blobs/uploads/{UPLOAD}": ["team/app"],
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE")
ALL = ("pull", "push", "delete")


@pytest.fixture(scope="module")
def service() -> TokenService:
    """Whose tokens are believed."""
    return TokenService(passwords={}, granted={})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, service: TokenService) -> Iterator[Server]:
    """A registry of two workers that wants tokens."""
    directory = tmp_path_factory.mktemp("auth")
    settings = {"auth": token_settings(directory, service), "storage": {"delete": {"enabled": True}}}
    with Server(directory / "server", settings, prefix=("env", "ENTREPOT_WORKERS=2")) as server:
        yield server


def allowed(service: TokenService, **actions: Sequence[str]) -> dict[str, str]:
    """The header of who may do that in these repositories of `team`."""
    access = [{"type": "repository", "name": f"team/{name}", "actions": list(some)} for name, some in actions.items()]
    return {"Authorization": f"Bearer {service.token('alice', access)}"}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", METHODS)
def test_who_presents_nothing_gets_nothing(server: Server, method: str, path: str) -> None:
    """A challenge, and no trace on the disk, for every route and method."""
    before = snapshot(server.root)
    with server.client() as client:
        answer = client.request(method, path, content=b"body" if method in ("POST", "PUT", "PATCH") else None)

    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="https://auth.example/token",service="entrepot"')
    assert "error=" not in challenge
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    if method != "HEAD":
        assert error_codes(answer) == ["UNAUTHORIZED"]
    assert snapshot(server.root) == before


def test_what_needs_no_access_is_refused_with_a_detail_of_null(server: Server) -> None:
    """As Distribution answers on the base route: its list of what is wanted is there, and Go writes an empty one so."""
    with server.client() as client:
        answer = client.get("/v2/")

    assert answer.status_code == 401
    assert answer.json() == {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required", "detail": None}]}


@pytest.mark.parametrize("path", [path for path in ROUTES if path != "/v2/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_a_token_for_something_else_does_not_help(
    server: Server, service: TokenService, method: str, path: str
) -> None:
    """And what is missing is told."""
    before = snapshot(server.root)
    with server.client() as client:
        answer = client.request(method, path, headers=allowed(service, other=ALL))
        assert client.get("/v2/", headers=allowed(service, other=ALL)).status_code == 200

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].endswith(',error="insufficient_scope"')
    assert snapshot(server.root) == before


def test_what_one_client_got_is_given_to_no_other(server: Server, service: TokenService) -> None:
    """Manifests, blobs and parts of them are answered in several ways, some of them from memory: all ask first."""
    made = image([random_blob(100), random_blob(300_000)])
    with server.client(headers=allowed(service, hits=ALL)) as owner:
        Repository(owner, "team/hits").push(made, "latest")
    paths = ["manifests/latest", f"manifests/{made.digest}", *(f"blobs/{blob.digest}" for blob in made.blobs)]
    strangers = [
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Basic {base64.b64encode(b'alice:x').decode()}"},
        allowed(service, other=ALL),
        allowed(service, hits=["push"]),
    ]
    with server.client() as client:
        repository = Repository(client, "team/hits")
        for path in paths:
            for _ in range(5):
                for method in (repository.get, repository.head):
                    for more in ({}, {"Range": "bytes=0-9"}):
                        assert method(path, headers={**allowed(service, hits=["pull"]), **more}).is_success
                        for stranger in strangers:
                            answer = method(path, headers={**stranger, **more})
                            assert answer.status_code == 401
                            assert answer.headers["Content-Type"] == "application/json"


def test_a_blob_is_mounted_only_from_what_its_client_may_read(server: Server, service: TokenService) -> None:
    """Named or not; without that it is uploaded, or refused where the source is named."""
    blob = random_blob(1000)
    with server.client(headers=allowed(service, source=ALL)) as owner:
        Repository(owner, "team/source").push_blob(blob)
    with server.client() as client:
        target = Repository(client, "team/target")

        def mount(origin: str | None, **actions: Sequence[str]) -> httpx.Response:
            named = {} if origin is None else {"from": origin}
            return target.post(
                "blobs/uploads/", params={"mount": blob.digest, **named}, headers=allowed(service, **actions)
            )

        assert mount("team/source", target=["pull", "push"]).status_code == 401
        assert mount("team/source", target=["pull", "push"], source=["push"]).status_code == 401
        assert mount(None, target=["pull", "push"]).status_code == 202
        assert mount(None, target=["pull", "push"], source=["push"]).status_code == 202
        assert mount(None, target=["pull", "push"], other=["pull"]).status_code == 202
        assert target.head(f"blobs/{blob.digest}", headers=allowed(service, target=["pull"])).status_code == 404
        assert mount(None, target=["pull", "push"], source=["pull"]).status_code == 201
        target.delete(f"blobs/{blob.digest}", headers=allowed(service, target=["delete"]))
        assert mount("team/source", target=["pull", "push"], source=["pull"]).status_code == 201


def test_passwords_open_everything(tmp_path: Path) -> None:
    """Once the client has told one; a new file counts at once, in all workers."""
    path = tmp_path / "htpasswd"
    path.write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    settings = {"auth": {"htpasswd": {"realm": "the realm", "path": str(path)}}}
    made = image(1)
    with Server(tmp_path / "server", settings, prefix=("env", "ENTREPOT_WORKERS=2")) as server:
        with server.client() as client:
            refused = client.get("/v2/app/manifests/latest")
            assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="the realm"')
        with server.client(auth=("alice", "secret")) as client:
            Repository(client, "app").push(made, "latest")
            for _ in range(20):
                assert client.get("/v2/app/manifests/latest").content == made.content
            assert client.get("/v2/_catalog").json() == {"repositories": ["app"]}
            path.write_text(f"alice:{bcrypt.hashpw(b'another', bcrypt.gensalt(4)).decode()}\n")
            for _ in range(5):
                assert client.get("/v2/app/manifests/latest").status_code == 401
        for _ in range(5):
            with server.client(auth=("alice", "another")) as client:
                assert client.get("/v2/app/manifests/latest").content == made.content


def test_a_missing_file_is_made_with_a_password_that_is_said_once(tmp_path: Path) -> None:
    """In the log, and nowhere else."""
    path = tmp_path / "auth" / "htpasswd"
    settings = {"auth": {"htpasswd": {"realm": "realm", "path": str(path)}}, "log": {"formatter": "text"}}
    with Server(tmp_path / "server", settings) as server:
        output = server.output()
        [line] = [line for line in output.splitlines() if "htpasswd is missing" in line]
        password = line.rpartition("password=")[2].split()[0]
        with server.client(auth=("docker", password)) as client:
            assert client.get("/v2/").status_code == 200
        assert server.output().count(password) == 1


def test_a_mirror_asks_nobody_for_who_may_not_come_in(tmp_path: Path, service: TokenService) -> None:
    """Not even whether there is such a thing, nor whether it knows that upstream."""
    with ThreadedUpstream() as upstream:
        made = image(1)
        upstream.add_image("library/app", "latest", made)
        settings = {"auth": token_settings(tmp_path, service), "proxy": {"remoteurl": upstream.url}}
        with Server(tmp_path / "server", settings) as server, server.client() as client:
            for path in ("/v2/library/app/manifests/latest", "/v2/app/manifests/latest", "/v2/app/tags/list?ns=other"):
                assert client.get(path).status_code == 401
            assert upstream.count("GET") + upstream.count("HEAD") == 0

            access = [{"type": "repository", "name": "library/app", "actions": ["pull"]}]
            headers = {"Authorization": f"Bearer {service.token('alice', access)}"}
            assert client.get("/v2/library/app/manifests/latest", headers=headers).content == made.content
            assert client.get("/v2/other/manifests/latest", headers=headers).status_code == 401


@pytest.mark.parametrize("authorization", ["Basic YTpi", "Bearer x", "nonsense"])
def test_without_access_control_credentials_mean_nothing(filesystem_server: Server, authorization: str) -> None:
    """A Docker daemon sends its mirror those for the upstream."""
    with filesystem_server.client(headers={"Authorization": authorization}) as client:
        repository = Repository(client)
        made = image(1)
        repository.push(made, "latest")
        assert repository.get("manifests/latest").content == made.content


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (
            {"token": {"realm": "r", "service": "s", "issuer": "i", "rootcertbundle": "/nowhere/bundle"}},
            "auth.token: cannot read /nowhere/bundle: No such file or directory",
        ),
        (
            {"htpasswd": {"realm": "r", "path": "/proc/nothing/htpasswd"}},
            "auth.htpasswd.path: /proc/nothing/htpasswd is not there, and cannot be made",
        ),
    ],
)
def test_what_cannot_be_used_stops_the_start(tmp_path: Path, auth: dict[str, Any], expected: str) -> None:
    """With one line that names the setting."""
    check_cannot_start(serve(tmp_path, {"auth": auth}), expected)


@pytest.mark.parametrize(("given", "status"), [("", 201), ("image", 201), ("plugin", 403)])
def test_a_token_may_be_for_another_class_of_content(
    tmp_path: Path, service: TokenService, given: str, status: int
) -> None:
    """`policy.repository.classes`: who may push plugins may not push images; an index has no class."""
    policy = {"policy": {"repository": {"classes": ["image", "plugin"]}}}
    made = image(1)
    access = {
        "type": "repository",
        "name": "team/app",
        "actions": ["pull", "push"],
        **({"class": given} if given else {}),
    }
    headers = {"Authorization": f"Bearer {service.token('alice', [access])}"}
    with (
        Server(tmp_path, {"auth": token_settings(tmp_path, service), **policy}) as server,
        server.client(headers=headers) as client,
    ):
        repository = Repository(client, "team/app")
        repository.push_blobs(made)
        answer = repository.put_manifest("v1", made)

        assert answer.status_code == status
        if status == 403:
            assert error_codes(answer) == ["DENIED"]
            assert "repository not authorized for image manifest" in answer.text
