from enum import StrEnum

from pydantic import Field

from api.schemas.contract_filters import ContractFilters


class ExportFormat(StrEnum):
    """How an export is written."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class ExportQuery(ContractFilters):
    """Which contracts to export, and how."""

    format: ExportFormat = Field(
        ExportFormat.NDJSON, description="ndjson: one JSON object a line; csv: with a head line; parquet: compressed"
    )
