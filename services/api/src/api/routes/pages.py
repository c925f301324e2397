"""Documentation: pages whose every asset is our own, and the documents that they show."""

import gzip
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse, Response

from api.answers import JsonAnswer
from api.asyncapi import document

router = APIRouter(include_in_schema=False)

PAGES = Path(__file__).parent.parent / "pages"
ASSETS = {
    "asyncapi-page.js": "text/javascript",
    "asyncapi.css": "text/css",
    "asyncapi.js": "text/javascript",
    "docs.js": "text/javascript",
    "favicon.svg": "image/svg+xml",
    "page.css": "text/css",
    "redoc-logo.svg": "image/svg+xml",
    "redoc.js": "text/javascript",
    "redoc.standalone.js": "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
# The AsyncAPI parser compiles its schemas to functions, hence unsafe-eval; ReDoc searches in a worker.
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:"
    ),
}
ASSET_HEADERS = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}


@router.get("/docs")
async def show_docs() -> Response:
    """Swagger UI: try the API."""
    return FileResponse(PAGES / "docs.html", headers=PAGE_HEADERS)


@router.get("/redoc")
async def show_redoc() -> Response:
    """ReDoc: the reference."""
    return FileResponse(PAGES / "redoc.html", headers=PAGE_HEADERS)


@router.get("/asyncapi")
async def show_asyncapi() -> Response:
    """The events."""
    return FileResponse(PAGES / "asyncapi.html", headers=PAGE_HEADERS)


@router.get("/openapi.json")
async def read_openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return JsonAnswer(request.app.openapi_text)


@router.get("/asyncapi.json")
async def read_asyncapi() -> Response:
    """The AsyncAPI document."""
    return JsonAnswer(document())


@router.get("/docs/assets/{name}")
def read_asset(name: str, request: Request) -> Response:
    """A file of the pages. What is carried gzipped goes out so, to whoever takes it."""
    if name not in ASSETS:
        raise HTTPException(404, f"No asset {name}")
    plain, packed = PAGES / "assets" / name, PAGES / "assets" / f"{name}.gz"
    if plain.exists():
        return FileResponse(plain, media_type=ASSETS[name], headers=ASSET_HEADERS)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return FileResponse(packed, media_type=ASSETS[name], headers={**ASSET_HEADERS, "Content-Encoding": "gzip"})
    return Response(gzip.decompress(packed.read_bytes()), media_type=ASSETS[name], headers=ASSET_HEADERS)
