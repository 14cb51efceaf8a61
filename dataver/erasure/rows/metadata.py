"""What a table says beside its rows: notes that hold a value go, and pandas' range of rows is fitted."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from dataver.erasure.rows.needles import Needles

_PANDAS = b"pandas"


def clean_schema(schema: Any, needles: Needles) -> Any:
    """Return *schema* without those entries of its metadata, and its fields', that hold a value."""
    fields = [field.with_metadata(_clean(field.metadata, needles)) for field in schema]
    return pa.schema(fields, metadata=_clean(schema.metadata, needles))


def _clean(metadata: dict[bytes, bytes] | None, needles: Needles) -> dict[bytes, bytes] | None:
    if not metadata:
        return None
    return {k: v for k, v in metadata.items() if not needles.in_text(k) and not needles.in_text(v)} or None


def fit_range(schema: Any, rows: int) -> Any:
    """Return *schema* with pandas' numbering of rows, where it counts them from a start, made *rows* long."""
    metadata = dict(schema.metadata or {})
    try:
        told = json.loads(metadata.get(_PANDAS, b"null"))
        for index in told["index_columns"]:
            if isinstance(index, dict) and index.get("kind") == "range":
                index["stop"] = index["start"] + rows * index["step"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return schema
    return schema.with_metadata({**metadata, _PANDAS: json.dumps(told).encode()})
