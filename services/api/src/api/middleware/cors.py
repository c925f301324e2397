"""Which web pages may call the api, as CORS_ORIGINS says."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

ORDER = 9010


def register_middleware(app: FastAPI) -> None:
    settings = app.state.parts.settings
    if not settings.cors_origins:
        return
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_credentials=settings.cors_allow_credentials,
        allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=(
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-None-Match",
            "X-Request-ID",
            "traceparent",
        ),
        expose_headers=(
            "ETag",
            "Location",
            "Idempotent-Replayed",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "WWW-Authenticate",
            "X-Request-ID",
            "traceparent",
        ),
    )
