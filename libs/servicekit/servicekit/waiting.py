"""Waiting for events of one loop."""

import asyncio


async def wait_for_any(*events: asyncio.Event, timeout: float) -> None:  # noqa: ASYNC109
    """Returns when one of the events is set, or after `timeout` seconds."""
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
