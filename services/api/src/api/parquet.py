"""`python -m api.parquet COLUMNS`: lines of JSON in, Parquet out, in constant memory; a process that the api starts.

COLUMNS is a JSON object of names and what they hold, as `queries/export.py` calls it.
"""

import json
import os
import sys

import arro3.io
from arro3.core import DataType, Field, Schema

ROW_GROUP = 16_384
"""Rows that are held until they are written. Of 300,000 the process held 94 MB at most, with four times as many 165 MB;
the file of a million is a twentieth bigger for it."""
POLITE = 10
"""Exports are slow by nature; whoever answers others goes first."""

TYPES = {
    "id": DataType.int64(),
    "count": DataType.int32(),
    "isk": DataType.decimal128(20, 2),
    "number": DataType.float64(),
    "flag": DataType.bool(),
    "text": DataType.utf8(),
    "instant": DataType.timestamp("us", tz="UTC"),
}


def main() -> None:
    os.nice(POLITE)
    columns: dict[str, str] = json.loads(sys.argv[1])
    schema = Schema([Field(name, TYPES[kind]) for name, kind in columns.items()])
    rows = arro3.io.read_json(sys.stdin.buffer, schema, batch_size=8_192)
    arro3.io.write_parquet(
        rows, sys.stdout.buffer, compression="zstd(3)", max_row_group_size=ROW_GROUP, created_by="Freeport"
    )


if __name__ == "__main__":
    main()
