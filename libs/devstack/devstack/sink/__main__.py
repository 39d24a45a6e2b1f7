"""Runs the sink: SMTP and HTTP on loopback in one event loop. Started by `SinkEngine`, or by hand."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from devstack.ports import LOOPBACK
from devstack.sink.mails import MailBox
from devstack.sink.smtp import Postmaster
from devstack.sink.traces import TraceStore
from devstack.sink.web import Web


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="devstack.sink", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--mails", type=Path, required=True)
    options = parser.parse_args()

    mails = MailBox(options.mails)
    postmaster = Postmaster(mails)

    @asynccontextmanager
    async def smtp(_: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(postmaster.protocol, LOOPBACK, options.smtp_port)
        async with server:
            yield

    app = Web(mails, TraceStore(), postmaster).app(smtp)
    uvicorn.run(
        app,
        host=LOOPBACK,
        port=options.port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )


main()
