"""Begins to listen for what changes in the market."""

import asyncio

from fastapi import FastAPI

ORDER = 10


def startup_hook(app: FastAPI) -> None:
    app.state.listening = asyncio.create_task(app.state.parts.market.listen())
