"""Ends what the startup hook of this name began."""

import asyncio
import contextlib

from fastapi import FastAPI


async def shutdown_hook(app: FastAPI) -> None:
    app.state.listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await app.state.listening
