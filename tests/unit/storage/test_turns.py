"""Long loops let everybody else run in between."""

import asyncio

from entrepot.storage.turns import taking_turns


async def test_other_tasks_run_while_a_long_list_is_gone_through() -> None:
    """Every item comes, in order, and whoever is ready gets a turn many times."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert [item async for item in taking_turns(range(10_000))] == list(range(10_000))
    task.cancel()

    assert turns > 50
