"""Tables of some users' rows, written in every way, with the traps that keep a deleted value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.parquet as pq

GONE = "user-1041-mallory"
"""The one whose rows go."""
OTHERS = ("user-2001-alice", "user-2002-bob", "user-2003-carol")
NUMBER = 7_000_001_041
"""The same one as a number."""


def users(count: int = 40) -> list[str]:
    """Give the user of each of *count* rows; every fourth row is of the one who goes."""
    return [GONE if n % 4 == 1 else OTHERS[n % 3] for n in range(count)]


def table(count: int = 40, *, metadata: Mapping[str, str] | None = None) -> Any:
    """Give a table with the user as text, as a category and as a number, and much else."""
    who = users(count)
    numbers = [NUMBER if user == GONE else 9_000_000_000 + n for n, user in enumerate(who)]
    categories = pa.array(who).dictionary_encode()
    schema = pa.schema(
        [
            pa.field("user_id", pa.string(), nullable=False),
            pa.field("category", categories.type, metadata={"about": "who"}),
            pa.field("number", pa.int64()),
            pa.field("score", pa.float64(), metadata={"unit": "points"}),
            pa.field("tags", pa.list_(pa.string())),
            pa.field("place", pa.struct([("city", pa.string()), ("zip", pa.int32())])),
            pa.field("at", pa.timestamp("us", tz="UTC")),
        ],
        metadata=metadata,
    )
    columns = [
        pa.array(who),
        categories,
        pa.array(numbers, pa.int64()),
        pa.array([None if n % 7 == 0 else n / 3 for n in range(count)]),
        pa.array([[f"tag-{n % 5}", None] if n % 3 else None for n in range(count)]),
        pa.array(
            [{"city": f"town {n % 4}", "zip": n} if n % 5 else None for n in range(count)],
            schema.field("place").type,
        ),
        pa.array(range(count), pa.int64()).cast(schema.field("at").type),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def without(whole: Any) -> list[dict[str, Any]]:
    """Give the rows of those who stay."""
    return [row for row in whole.to_pylist() if row["user_id"] != GONE]


def pandas_note(count: int) -> dict[str, str]:
    """Give metadata as pandas writes it, with a note of somebody's own that names who goes."""
    index = {"kind": "range", "name": None, "start": 0, "stop": count, "step": 1}
    told = {"index_columns": [index], "column_indexes": [], "columns": [], "pandas_version": "2.2.0"}
    return {"pandas": json.dumps(told), "subjects": f"{OTHERS[0]},{GONE}", "source": "the survey of 2024"}


def write_parquet(path: Path, whole: Any, **options: Any) -> Path:
    pq.write_table(whole, path, row_group_size=16, **options)
    return path


def write_arrow(path: Path, whole: Any, *, is_stream: bool = False, compression: str | None = None) -> Path:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    new = pa.ipc.new_stream if is_stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as file, new(file, whole.schema, options=options) as writer:
        writer.write_table(whole, max_chunksize=16)
    return path


def write_feather(path: Path, whole: Any) -> Path:
    feather.write_feather(whole, str(path), chunksize=16)
    return path


def naive_parquet(path: Path, whole: Any) -> Path:
    """Do what one would do first: filter, and write; categories and metadata stay as they were."""
    pq.write_table(whole.filter(pc.not_equal(whole["user_id"], GONE)), path)
    return path
