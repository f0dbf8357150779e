"""The one gate: for every route, method and set of allowed actions it is written here who may pass, and nobody else."""

import json
from collections.abc import Mapping
from itertools import chain, combinations

import pytest

from entrepot.api.dispatch import Dispatcher
from entrepot.api.listings import PageLimits
from entrepot.api.message import Request, Response, empty_response
from entrepot.api.routes import Action, Endpoint, Kind, Routes, Target
from entrepot.api.state import StateSigner
from entrepot.api.table import build_routes
from entrepot.api.urls import Urls
from entrepot.drivers.memory import MemoryDriver
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from tests.unit.api.requests import DIGEST, UPLOAD_ID, content, request, values

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PURGE", "get", ""]
PATHS: Mapping[Kind, str] = {
    Kind.BASE: "/v2/",
    Kind.CATALOG: "/v2/_catalog",
    Kind.TAGS: "/v2/a/tags/list",
    Kind.REFERRERS: f"/v2/a/referrers/{DIGEST}",
    Kind.MANIFEST: "/v2/a/manifests/latest",
    Kind.BLOB: f"/v2/a/blobs/{DIGEST}",
    Kind.UPLOADS: "/v2/a/blobs/uploads/",
    Kind.UPLOAD: f"/v2/a/blobs/uploads/{UPLOAD_ID}",
}
NEEDS: Mapping[Kind, Mapping[str, Action]] = {
    Kind.BASE: {"GET": Action.PING, "HEAD": Action.PING},
    Kind.CATALOG: {"GET": Action.CATALOG, "HEAD": Action.CATALOG},
    Kind.TAGS: {"GET": Action.PULL, "HEAD": Action.PULL},
    Kind.REFERRERS: {"GET": Action.PULL, "HEAD": Action.PULL},
    Kind.MANIFEST: {"GET": Action.PULL, "HEAD": Action.PULL, "PUT": Action.PUSH, "DELETE": Action.DELETE},
    Kind.BLOB: {"GET": Action.PULL, "HEAD": Action.PULL, "DELETE": Action.DELETE},
    Kind.UPLOADS: {"POST": Action.PUSH},
    Kind.UPLOAD: dict.fromkeys(["GET", "HEAD", "PATCH", "PUT", "DELETE"], Action.PUSH),
}
SETS = [frozenset(chosen) for count in range(len(Action) + 1) for chosen in combinations(Action, count)]


class Watched:
    """The API's own table, with a handler at the end of each way in that only notes who came."""

    def __init__(self) -> None:
        registry = LocalRegistry(MemoryDriver(), None, Rules())
        table = build_routes(registry, Urls(), StateSigner(b"secret"), PageLimits())
        self.routes: Routes = {
            kind: {method: Endpoint(endpoint.action, self._note) for method, endpoint in methods.items()}
            for kind, methods in table.items()
        }
        self.came: list[tuple[str, Kind]] = []

    async def _note(self, request: Request, target: Target) -> Response:
        self.came.append((request.method, target.kind))
        return empty_response(200)


def test_every_kind_of_target_is_in_the_table() -> None:
    """So that none is answered by chance."""
    assert set(Watched().routes) == set(Kind) == set(PATHS) == set(NEEDS)


@pytest.mark.parametrize("kind", list(Kind))
async def test_only_what_is_listed_and_allowed_passes(kind: Kind) -> None:
    """All methods against all sets of actions: 405 and the methods that would pass, before anything is done."""
    for allowed in SETS:
        passing = sorted(method for method, action in NEEDS[kind].items() if action in allowed)
        for method in METHODS:
            watched = Watched()
            response = await Dispatcher(watched.routes, allowed).answer(request(method, PATHS[kind], body=b"x"))

            if method in passing:
                assert (response.status, watched.came) == (200, [(method, kind)])
                continue
            assert (response.status, watched.came) == (405, [])
            assert values(response, "allow") == [", ".join(passing)]
            assert [error["code"] for error in json.loads(content(response))["errors"]] == ["UNSUPPORTED"]


READING = {Action.PING, Action.PULL, Action.CATALOG}


@pytest.mark.parametrize("allowed", [READING, READING | {Action.PUSH}], ids=["read-only", "without deleting"])
@pytest.mark.parametrize("kind", [Kind.MANIFEST, Kind.BLOB])
@pytest.mark.parametrize("argument", ["latest", DIGEST, "sha512:0", "..", "x" * 5000])
async def test_deleting_is_refused_by_what_it_does_not_by_what_it_names(
    allowed: set[Action], kind: Kind, argument: str
) -> None:
    """A tag, a digest or nonsense: the gate comes first (CVE-2026-41888)."""
    path = f"/v2/a/{'manifests' if kind is Kind.MANIFEST else 'blobs'}/{argument}"
    watched = Watched()

    response = await Dispatcher(watched.routes, allowed).answer(request("DELETE", path))

    assert (response.status, watched.came) == (405, [])


def test_all_sets_are_tried() -> None:
    """The closed world is closed."""
    assert len(SETS) == 2 ** len(Action)
    assert set(chain.from_iterable(NEEDS[kind].values() for kind in Kind)) == set(Action)
