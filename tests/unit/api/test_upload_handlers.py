"""Uploads over HTTP, without a server: what a client is told, and what is left when it goes wrong half-way."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from entrepot.api.dispatch import ClientGone, Dispatcher
from entrepot.api.listings import PageLimits
from entrepot.api.message import Request, Response
from entrepot.api.routes import Action
from entrepot.api.state import StateSigner
from entrepot.api.table import build_routes
from entrepot.api.urls import Urls
from entrepot.driver import Driver, NoSpace, PathNotFound
from entrepot.drivers.memory import MemoryDriver
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from entrepot.testing.registry_contents import read_blob
from tests.unit.api.requests import request, values
from tests.unit.storage.failing import Failing, Fault

APP = RepositoryName("library/app")
HELLO = Digest.of(b"hello")


@pytest.fixture
def driver() -> MemoryDriver:
    """An empty store."""
    return MemoryDriver()


def serving(driver: Driver) -> Dispatcher:
    """The whole API over it, as one worker has it."""
    routes = build_routes(LocalRegistry(driver, None, Rules()), Urls(relative=True), StateSigner(b"x"), PageLimits())
    return Dispatcher(routes, list(Action))


def sending(body: AsyncIterator[bytes], method: str, target: str) -> Request:
    """A request whose body comes as it likes."""
    made = request(method, target, {"Transfer-Encoding": "chunked"})
    made.body = lambda: body
    return made


async def leaving(content: bytes) -> AsyncIterator[bytes]:
    """A client that leaves after some bytes."""
    yield content
    raise ClientGone


async def location(answer: Response) -> str:
    """Where the client is sent next."""
    url = urlsplit(values(answer, "location")[0])
    return f"{url.path}?{url.query}"


async def sessions(driver: Driver) -> list[str]:
    """The uploads that are left in the store."""
    try:
        return list(await driver.list(layout.uploads(APP)))
    except PathNotFound:
        return []


async def test_a_blob_that_comes_with_the_first_request_leaves_no_session_when_the_client_leaves(
    driver: MemoryDriver,
) -> None:
    """It was never told where the upload is, so it can not come back to it."""
    whole = sending(leaving(b"hel"), "POST", f"/v2/{APP}/blobs/uploads/?digest={HELLO}")

    with pytest.raises(ClientGone):
        await serving(driver).answer(whole)

    assert await sessions(driver) == []


@pytest.mark.parametrize("number", range(2, 9))
async def test_a_blob_that_comes_with_the_first_request_leaves_no_session_when_the_store_fails(
    driver: MemoryDriver, number: int
) -> None:
    """Whatever call it is that fails, the disk is not filled with what nobody can go on with."""
    fault = Fault(lambda: NoSpace("full"), number, lasts=False, late=False)

    answer = await serving(Failing(driver, fault)).answer(
        request("POST", f"/v2/{APP}/blobs/uploads/?digest={HELLO}", {"Content-Length": "5"}, body=b"hello")
    )

    # The last call is the one that removes the session, which must not undo the commit.
    removing = answer.status == 201
    assert (answer.status, len(await sessions(driver))) == ((201, 1) if removing else (507, 0))
    assert removing is (fault.calls == number)


async def test_an_upload_goes_on_after_the_client_left(driver: MemoryDriver) -> None:
    """With a location of its own that it asks for, where the server says how much has come."""
    api = serving(driver)
    begun = await location(await api.answer(request("POST", f"/v2/{APP}/blobs/uploads/")))
    with pytest.raises(ClientGone):
        await api.answer(sending(leaving(b"hel"), "PATCH", begun))

    status = await api.answer(request("GET", begun))
    assert (status.status, values(status, "range")) == (204, ["0-2"])
    stale = await api.answer(request("PATCH", begun, {"Content-Length": "2"}, body=b"lo"))
    assert (stale.status, values(stale, "range")) == (416, ["0-2"])

    answer = await api.answer(request("PUT", f"{await location(status)}&digest={HELLO}", body=b"lo"))
    assert (answer.status, values(answer, "docker-content-digest")) == (201, [HELLO])
    blob = await LocalRegistry(driver, None, Rules()).reader(APP).open_blob(HELLO)
    assert await read_blob(blob) == b"hello"


async def test_a_commit_whose_answer_was_lost_may_be_repeated(driver: MemoryDriver) -> None:
    """In whatever worker; one under another digest is not answered by that blob."""
    api, elsewhere = serving(driver), serving(driver)
    begun = await location(await api.answer(request("POST", f"/v2/{APP}/blobs/uploads/")))
    other = Digest.of(b"other")

    answers = [
        await one.answer(request("PUT", f"{begun}&digest={digest}", body=b"hello"))
        for one, digest in [(api, HELLO), (api, HELLO), (elsewhere, HELLO), (api, other)]
    ]

    assert [answer.status for answer in answers] == [201, 201, 201, 404]
    assert await sessions(driver) == []
