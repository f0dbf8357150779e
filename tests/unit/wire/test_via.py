"""By whom a request has come: noted, passed on, and known again."""

import asyncio
from contextvars import copy_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.wire.via import Hop, Looping, new_name, passed_on


async def test_what_is_asked_for_a_request_carries_its_chain() -> None:
    """In the tasks that it starts, and in no other request's."""

    async def request(via: list[str]) -> tuple[str, str]:
        Hop("us").enter(via)
        await asyncio.sleep(0)
        return passed_on(), await asyncio.create_task(_asked())

    async def _asked() -> str:
        return passed_on()

    answers = await asyncio.gather(
        asyncio.create_task(request([])), asyncio.create_task(request(["1.0 fred, 1.1 p.example", "2 other (x)"]))
    )

    assert answers[0] == ("1.1 us", "1.1 us")
    assert answers[1] == ("1.0 fred, 1.1 p.example, 2 other (x), 1.1 us",) * 2
    assert passed_on() == ""


@pytest.mark.parametrize("lines", [["1.1 us"], ["1.0 a, HTTP/1.1 us (comment)"], ["1.1 a", "1.1 us,1.1 b"]])
def test_a_request_that_comes_back_is_known(lines: list[str]) -> None:
    """Wherever in the chain we are."""
    with pytest.raises(Looping):
        Hop("us").enter(lines)


@given(st.lists(st.text(max_size=50), max_size=5))
def test_any_chain_is_read(lines: list[str]) -> None:
    """Whatever a client sends, it has been here or not."""
    try:
        copy_context().run(Hop(new_name()).enter, lines)
    except Looping:
        pytest.fail("nobody can know a new name")
