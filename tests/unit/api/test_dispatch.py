"""From a request to its answer: errors become the spec's bodies, and what is no route is told so before any work."""

import json
from collections.abc import Awaitable, Callable, Sequence

import pytest

from entrepot.api.dispatch import ClientGone, Dispatcher
from entrepot.api.message import Header, Request, Response, empty_response
from entrepot.api.routes import Action, Endpoint, Kind, Target
from entrepot.driver import NoSpace, PathInvalid, PathNotFound
from entrepot.oci import errors
from entrepot.oci.errors import Errors, ManifestBlobUnknown, NameUnknown, RegistryError, TooManyRequests
from tests.unit.api.requests import DIGEST, content, request, values

Act = Callable[[Request, Target], Awaitable[Response]]


def dispatcher(act: Act, prefix: str = "", headers: Sequence[Header] = ()) -> Dispatcher:
    """A dispatcher that hands every GET, and every PUT of a manifest, to `act`."""
    routes = {kind: {"GET": Endpoint(Action.PULL, act)} for kind in Kind}
    routes[Kind.MANIFEST]["PUT"] = Endpoint(Action.PUSH, act)
    return Dispatcher(routes, list(Action), prefix, headers)


def raising(error: BaseException) -> Act:
    """A handler that fails."""

    async def fail(request: Request, target: Target) -> Response:
        raise error

    return fail


async def found(request: Request, target: Target) -> Response:
    """A handler that tells what it was asked for."""
    return empty_response(200, [("x-kind", target.kind.value), ("x-name", target.name)])


ALL_ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RegistryError)]


@pytest.mark.parametrize("kind", [kind for kind in ALL_ERRORS if kind is not Errors])
@pytest.mark.parametrize("detail", [None, "why", {"name": "a"}, [1, None]])
async def test_every_error_is_answered_by_its_status_and_code(kind: type[RegistryError], detail: object) -> None:
    """The spec's body, one error, its detail only where there is one, and the headers it brings."""
    error = kind(detail, headers=[("x-why", "because")])

    response = await dispatcher(raising(error)).answer(request("GET", "/v2/"))

    expected = {"code": kind.code, "message": kind.message} | ({} if detail is None else {"detail": detail})
    assert (response.status, json.loads(content(response))) == (kind.status, {"errors": [expected]})
    assert values(response, "content-type") == ["application/json"]
    assert values(response, "x-why") == ["because"]


async def test_several_errors_are_one_answer() -> None:
    """The first decides the status."""
    missing = [ManifestBlobUnknown(f"sha256:{number}") for number in range(3)]

    response = await dispatcher(raising(Errors([*missing, NameUnknown()]))).answer(request("GET", "/v2/"))

    assert response.status == 400
    codes = [error["code"] for error in json.loads(content(response))["errors"]]
    assert codes == ["MANIFEST_BLOB_UNKNOWN"] * 3 + ["NAME_UNKNOWN"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NoSpace("/secret/place: no space left on device"), 507),
        (OSError(5, "input/output error", "/secret/place"), 500),
        (PathNotFound("/secret/place"), 500),
        (PathInvalid("/secret/place"), 500),
        (RuntimeError("secret"), 500),
        (RecursionError("secret"), 500),
        (KeyError("secret"), 500),
        (AssertionError("secret"), 500),
    ],
)
async def test_a_failure_tells_the_client_nothing_but_that_it_failed(error: Exception, status: int) -> None:
    """No path and no reason of ours; that the disk is full can be told from a defect."""
    response = await dispatcher(raising(error)).answer(request("GET", "/v2/"))

    assert response.status == status
    assert [one["code"] for one in json.loads(content(response))["errors"]] == ["UNKNOWN"]
    assert b"secret" not in content(response)


async def test_a_client_that_left_gets_no_answer() -> None:
    """There is nobody to answer: the adapter is told, and nothing else."""
    with pytest.raises(ClientGone):
        await dispatcher(raising(ClientGone())).answer(request("GET", "/v2/"))


ANSWERS = [
    (found, "GET", "/v2/", 200),
    (found, "GET", "/", 200),
    (found, "GET", "/nothing", 404),
    (found, "GET", "/v2", 301),
    (found, "GET", "/v2/A/tags/list", 400),
    (found, "POST", "/v2/", 405),
    (raising(RuntimeError()), "GET", "/v2/", 500),
    (raising(NoSpace()), "GET", "/v2/", 507),
    (raising(TooManyRequests()), "GET", "/v2/", 429),
]


@pytest.mark.parametrize(("act", "method", "path", "status"), ANSWERS)
async def test_every_answer_has_the_configured_headers(act: Act, method: str, path: str, status: int) -> None:
    """And the version of the API, whatever came of the request; nothing piles up from one request to the next."""
    one = dispatcher(act, headers=[("x-content-type-options", "nosniff"), ("x-a", "1"), ("x-a", "2")])

    for _ in range(3):
        response = await one.answer(request(method, path))

        assert response.status == status
        assert values(response, "docker-distribution-api-version") == ["registry/2.0"]
        assert values(response, "x-content-type-options") == ["nosniff"]
        assert values(response, "x-a") == ["1", "2"]


@pytest.mark.parametrize(
    ("prefix", "path", "status"),
    [
        ("", "/v2/", 200),
        ("/hub", "/hub/v2/", 200),
        ("/hub/two", "/hub/two/v2/a/tags/list", 200),
        ("/hub", "/", 200),
        ("/hub", "/hub", 404),
        ("/hub", "/hub/", 404),
        ("/hub", "/v2/", 404),
        ("/hub", "/v2", 404),
        ("/hub", "/hubv2/", 404),
        ("/hub", "/hub2/v2/", 404),
        ("/hub", "/other/hub/v2/", 404),
        ("/hub", "/HUB/v2/", 404),
    ],
)
async def test_nothing_is_answered_outside_the_prefix(prefix: str, path: str, status: int) -> None:
    """But the page that says the server is alive."""
    assert (await dispatcher(found, prefix).answer(request("GET", path))).status == status


@pytest.mark.parametrize("prefix", ["", "/hub"])
@pytest.mark.parametrize(
    ("path", "location"),
    [("/v2", "/v2/"), ("/v2/a/tags/list/", "/v2/a/tags/list"), ("/v2/a/b/tags/list/", "/v2/a/b/tags/list")],
)
async def test_the_slash_that_people_forget_is_put_right(prefix: str, path: str, location: str) -> None:
    """By a redirect within the server, never to elsewhere."""
    response = await dispatcher(found, prefix).answer(request("GET", prefix + path))

    assert (response.status, values(response, "location")) == (301, [prefix + location])


@pytest.mark.parametrize(
    "path", ["//evil.example.com/v2", "//v2", "/v2//", "/v2/a/tags/list//", "/v2/tags/list/", "/v2/x"]
)
async def test_other_paths_lead_nowhere(path: str) -> None:
    """Plain text, as Distribution's router has it, and no Location."""
    response = await dispatcher(found).answer(request("GET", path))

    assert (response.status, content(response)) == (404, b"404 page not found\n")
    assert values(response, "location") == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/a/manifests/" + "x" * (8192 - 16), 200),
        ("/v2/a/manifests/" + "x" * (8192 - 15), 414),
        ("/v2/?" + "x" * 8188, 200),
        ("/v2/?" + "x" * 8189, 414),
        ("/" + "x" * 100_000, 414),
    ],
)
async def test_a_long_url_is_refused(path: str, status: int) -> None:
    """By its length alone, query included."""
    assert (await dispatcher(found).answer(request("GET", path))).status == status


@pytest.mark.parametrize(
    ("encoding", "status"),
    [
        (None, 200),
        ("identity", 200),
        ("Identity", 200),
        ("gzip", 415),
        ("", 415),
        ("identity, gzip", 415),
        ("x" * 9999, 415),
    ],
)
async def test_a_body_in_an_encoding_is_refused(encoding: str | None, status: int) -> None:
    """It would be stored under a digest that it does not have."""
    headers = {} if encoding is None else {"Content-Encoding": encoding}

    response = await dispatcher(found).answer(request("PUT", "/v2/a/manifests/latest", headers))

    assert response.status == status


async def test_the_gate_comes_before_the_encoding_and_the_name_before_the_gate() -> None:
    """Each refusal is the first that applies."""
    headers = {"Content-Encoding": "gzip"}

    assert (await dispatcher(found).answer(request("DELETE", f"/v2/a/blobs/{DIGEST}", headers))).status == 405
    assert (await dispatcher(found).answer(request("DELETE", f"/v2/A/blobs/{DIGEST}", headers))).status == 400
