"""Which tables rows can be taken out of, told by name and first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

HEAD_SIZE = 4096
"""As much of a file's beginning as tells its kind."""

_SUFFIXES = {
    b".csv": "csv",
    b".tsv": "tsv",
    b".tab": "tsv",
    b".jsonl": "jsonl",
    b".ndjson": "jsonl",
}
_STREAM_SUFFIXES = (b".arrow", b".arrows", b".ipc", b".feather")
# Text of two or four bytes a character: no record of it can be cut out byte by byte.
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


class TableKind(Enum):
    """How a table is written."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    ARROW_FILE = "arrow"
    """Feather, version 2, is the same."""
    ARROW_STREAM = "arrow-stream"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What taking rows out of one table came to."""

    rows_removed: int
    rows_kept: int
    residue: tuple[str, ...] = ()
    """Columns in which rows that stay hold one of the values, as the whole cell or as a word in it."""
    held_values: bool = True
    """Whether the table held a value where it had to go: in rows, or in metadata and dictionaries alone."""


def kind_of(name: bytes, head: bytes) -> TableKind | None:
    """Return the kind of the table that is called *name* and begins with *head*; None for what is none.

    Compressed text, text in UTF-16, Feather version 1 and archives are none.
    """
    lower = name.lower()
    if head.startswith(b"PAR1"):
        return TableKind.PARQUET
    if head.startswith(b"ARROW1\0\0"):
        return TableKind.ARROW_FILE
    if head.startswith(b"\xff\xff\xff\xff") and lower.endswith(_STREAM_SUFFIXES):
        return TableKind.ARROW_STREAM
    found = next((kind for suffix, kind in _SUFFIXES.items() if lower.endswith(suffix)), None)
    if found is None or head.startswith(_WIDE_MARKS) or b"\0" in head[:HEAD_SIZE]:
        return None
    return TableKind(found)
