"""Where answers point to: `http.host`, `http.prefix`, `http.relativeurls`, and what proxies say of themselves."""

import httpx
import pytest

from entrepot.testing.images import image, random_blob
from tests.conftest import Serve
from tests.repositories import Repository, next_page
from tests.servers import IN_MEMORY, Server, merge


def in_memory(**http: object) -> dict[str, object]:
    """Settings of a quick server with these members of `http`."""
    return merge(IN_MEMORY, {"http": http})


def locations(repository: Repository, headers: dict[str, str]) -> dict[str, str]:
    """The Location of every answer that has one, and the path that it should have; none of them is followed."""
    with httpx.Client(base_url=repository.client.base_url, headers=headers, trust_env=False) as client:
        here = Repository(client, repository.name, base=repository.base)
        blob, made = random_blob(), image(0)
        begun = here.post("blobs/uploads/")
        appended = client.patch(path_here(here, begun), content=blob.content)
        status = client.get(path_here(here, appended))
        done = client.put(f"{path_here(here, status)}&digest={blob.digest}")
        config = made.blobs[0]
        posted = here.post("blobs/uploads/", params={"digest": config.digest}, content=config.content)
        put = here.put_manifest("latest", made)
        mounted = here.post("blobs/uploads/", params={"mount": blob.digest, "from": here.name})
    session = f"blobs/uploads/{begun.headers['Docker-Upload-UUID']}"
    return {
        **{str(answer.headers["Location"]): session for answer in (begun, appended, status)},
        **{str(answer.headers["Location"]): f"blobs/{blob.digest}" for answer in (done, mounted)},
        str(posted.headers["Location"]): f"blobs/{config.digest}",
        str(put.headers["Location"]): f"manifests/{made.digest}",
    }


def path_here(repository: Repository, answer: httpx.Response) -> str:
    """The Location's path as this server has it, wherever the Location points to."""
    return repository.base + str(answer.headers["Location"]).partition("/v2/")[2]


def check_locations(repository: Repository, base: str, headers: dict[str, str] | None = None) -> None:
    """Every Location begins with `base` and goes on with the path."""
    for location, path in locations(repository, headers or {}).items():
        expected = f"{base}/v2/{repository.name}/{path}"
        assert location == expected or location.startswith(f"{expected}?_state="), location


def test_absolute_by_the_request(inmemory_server: Server) -> None:
    """Without any of the settings the host of the request is used."""
    with inmemory_server.client() as client:
        check_locations(Repository(client), inmemory_server.url)
        check_locations(Repository(client), "http://registry.example:8080", {"Host": "registry.example:8080"})


FORWARDED = {
    "proto": ({"X-Forwarded-Proto": "https"}, "https://{}"),
    "host": ({"X-Forwarded-Host": "r.example"}, "http://r.example"),
    "both": ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "r.example:444"}, "https://r.example:444"),
    "several hosts": ({"X-Forwarded-Host": "first.example, second.example"}, "http://first.example"),
    "standard": ({"Forwarded": "for=1.2.3.4;proto=https;host=r.example"}, "https://r.example"),
    "standard, quoted": ({"Forwarded": 'proto=https;host="r.example:444", for=5.6.7.8'}, "https://r.example:444"),
    "standard wins": ({"Forwarded": "proto=https", "X-Forwarded-Host": "other.example"}, "https://{}"),
}


@pytest.mark.parametrize("case", FORWARDED)
def test_absolute_behind_a_proxy(inmemory_server: Server, case: str) -> None:
    """A proxy's Forwarded header, or else its X-Forwarded-Proto and X-Forwarded-Host, tell what clients see."""
    headers, base = FORWARDED[case]
    with inmemory_server.client() as client:
        check_locations(Repository(client), base.format(inmemory_server.address), headers)


JUNK = ["javascript", "ftp", "http://x", "", "a b", "x\ty", "ht\u00fctp"]


@pytest.mark.parametrize("value", JUNK)
def test_junk_from_a_proxy(inmemory_server: Server, value: str) -> None:
    """R33, F-133: what cannot be a scheme or a host never gets into a Location."""
    with inmemory_server.client() as client:
        url = Repository(client).url("blobs/uploads/")
        for name in ("X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"):
            text = f"proto={value};host={value}" if name == "Forwarded" else value
            answer = client.post(url, headers=[(name.encode(), text.encode())])
            assert answer.status_code == 202
            location = httpx.URL(answer.headers["Location"])
            assert location.scheme in ("http", "https")
            assert location.path.startswith(url)


def test_host(serve: Serve) -> None:
    """`http.host` decides over the request and its proxies."""
    server = serve(in_memory(host="https://registry.example:5443"))
    with server.client() as client:
        headers = {"Host": "other.example", "X-Forwarded-Host": "proxy.example", "X-Forwarded-Proto": "http"}
        check_locations(Repository(client), "https://registry.example:5443", headers)


def test_host_with_a_path(serve: Serve) -> None:
    """A path in `http.host` that ends with a slash is kept before `/v2/`."""
    server = serve(in_memory(host="https://registry.example/mirror/"))
    with server.client() as client:
        check_locations(Repository(client), "https://registry.example/mirror")


def test_relative(serve: Serve) -> None:
    """`http.relativeurls` leaves path and query only, which lead back here."""
    server = serve(in_memory(relativeurls=True))
    with server.client() as client:
        repository = Repository(client)
        check_locations(repository, "")
        repository.push(image(1), "latest")


@pytest.mark.parametrize("prefix", ["/registry/", "/a/b/"])
def test_prefix(serve: Serve, prefix: str) -> None:
    """`http.prefix` is put before every route and into every Location and Link; only `/` answers outside of it."""
    server = serve(in_memory(prefix=prefix))
    with server.client() as client:
        repository = Repository(client, base=f"{prefix}v2/")
        check_locations(repository, server.url + prefix.rstrip("/"))
        repository.push(image(1), "a", "b")
        assert next_page(repository.get("tags/list?n=1")) == f"{prefix}v2/{repository.name}/tags/list?last=a&n=1"
        repository.sibling("z").push(image(0))
        last = repository.name.replace("/", "%2F")
        assert next_page(client.get(f"{prefix}v2/_catalog?n=1")) == f"{prefix}v2/_catalog?last={last}&n=1"
        assert client.get(f"{prefix}v2/").status_code == 200
        assert client.get(f"{prefix}v2").headers["Location"].endswith(f"{prefix}v2/")
        assert client.get("/").status_code == 200
        for outside in ("/v2/", "/v2/_catalog", f"/v2/{repository.name}/tags/list", prefix):
            assert client.get(outside).status_code == 404


def test_prefix_and_relative(serve: Serve) -> None:
    """Relative Locations hold the prefix, so that they lead back here."""
    server = serve(in_memory(prefix="/registry/", relativeurls=True))
    with server.client() as client:
        repository = Repository(client, base="/registry/v2/")
        check_locations(repository, "/registry")
        repository.push(image(1), "latest")
