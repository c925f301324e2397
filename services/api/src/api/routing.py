"""The whole public surface: a router that is not named here is not served."""

from fastapi import FastAPI

from api.routes import (
    contract_detail,
    contracts,
    couriers,
    deals,
    export,
    hooks,
    ingest,
    metrics,
    pages,
    probes,
    regions,
    runs,
    schedule_controls,
    schedules,
    stations,
    stats,
    systems,
    taxonomy,
    types,
)

API_PREFIX = "/api/v1"


def include_routers(app: FastAPI) -> None:
    """Serve every router, at its place."""
    app.include_router(probes.router, prefix="/health", tags=["health"])
    app.include_router(metrics.router)
    app.include_router(pages.router)

    app.include_router(stats.router, prefix=f"{API_PREFIX}/data/stats", tags=["ingestion"])
    app.include_router(ingest.router, prefix=f"{API_PREFIX}/data/ingest", tags=["ingestion"])
    app.include_router(runs.router, prefix=f"{API_PREFIX}/data/runs", tags=["ingestion"])
    app.include_router(contracts.router, prefix=f"{API_PREFIX}/contracts", tags=["contracts"])
    app.include_router(taxonomy.router, prefix=f"{API_PREFIX}/contracts/taxonomy", tags=["contracts"])
    app.include_router(deals.router, prefix=f"{API_PREFIX}/contracts/deals", tags=["contracts"])
    app.include_router(couriers.router, prefix=f"{API_PREFIX}/contracts/couriers", tags=["contracts"])
    app.include_router(export.router, prefix=f"{API_PREFIX}/contracts/export", tags=["contracts"])
    # Last under /contracts: whatever has a name of its own there would else be taken for a contract's id.
    app.include_router(contract_detail.router, prefix=f"{API_PREFIX}/contracts", tags=["contracts"])
    app.include_router(regions.router, prefix=f"{API_PREFIX}/regions", tags=["universe"])
    app.include_router(systems.router, prefix=f"{API_PREFIX}/systems", tags=["universe"])
    app.include_router(stations.router, prefix=f"{API_PREFIX}/stations", tags=["universe"])
    app.include_router(types.router, prefix=f"{API_PREFIX}/types", tags=["universe"])
    app.include_router(schedules.router, prefix=f"{API_PREFIX}/schedules", tags=["schedules"])
    app.include_router(schedule_controls.router, prefix=f"{API_PREFIX}/schedules", tags=["schedules"])
    app.include_router(hooks.router, prefix=f"{API_PREFIX}/system/hooks", tags=["system"])
