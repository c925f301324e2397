"""The documentation in a real Chromium, with the internet out of reach."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from support.served_api import ServedApi

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCREENSHOTS = os.environ.get("SCREENSHOTS")
"""A folder to keep pictures in, for people to look at."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    nowhere_else = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", nowhere_else]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        await browser.close()


async def opened(page: Page, address: str, signs: list[str]) -> tuple[list[str], list[str]]:
    """Open the page, wait until it shows all of `signs`, and return what it asked for and what went wrong."""
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("response", lambda answer: wrong.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None)
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    await page.goto(address)
    for sign in signs:
        await page.wait_for_function("sign => document.body.innerText.includes(sign)", arg=sign, timeout=30_000)
    await page.wait_for_load_state("networkidle")
    return asked, wrong


@pytest.mark.timeout(180)
async def test_every_page_works_without_the_internet(stranded: ServedApi, browser: Browser) -> None:
    pages = {
        "/docs": ["Freeport", "/api/v1/data/ingest", "list_contracts"],
        "/redoc": ["Freeport", "List Contracts", "Read Health"],
        "/asyncapi": ["Freeport events", "freeport.contracts.events.v1", "IngestRequested"],
    }
    for path, signs in pages.items():
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        asked, wrong = await opened(page, stranded.url + path, signs)
        if SCREENSHOTS:
            await page.screenshot(path=Path(SCREENSHOTS) / f"{path.strip('/')}.png")
        await page.close()

        assert wrong == []
        assert len(asked) >= 4
        assert all(address.startswith((stranded.url, "data:", "blob:")) for address in asked)
