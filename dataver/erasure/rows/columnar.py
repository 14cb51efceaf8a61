"""Parquet and Arrow behind one face, with pyarrow's errors made ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataver.erasure.rows import arrow, parquet
from dataver.erasure.rows.kinds import Rewritten, TableKind
from dataver.erasure.rows.needles import Needles
from dataver.errors import UnreadableTableError


@dataclass(frozen=True, slots=True)
class Columnar:
    """How tables of one kind are rewritten and examined."""

    kind: TableKind

    @property
    def _is_stream(self) -> bool:
        return self.kind is TableKind.ARROW_STREAM

    def rewrite(self, path_in: str, path_out: str, key: str, needles: Needles) -> Rewritten:
        with _ours():
            if self.kind is TableKind.PARQUET:
                return parquet.rewrite(path_in, path_out, key, needles)
            return arrow.rewrite(path_in, path_out, key, needles, is_stream=self._is_stream)

    def examine(self, path: str, needles: Needles) -> tuple[str, ...]:
        with _ours():
            if self.kind is TableKind.PARQUET:
                return parquet.examine(path, needles)
            return arrow.examine(path, needles, is_stream=self._is_stream)

    def columns_of(self, data: bytes, names: Sequence[str]) -> list[list[Any]]:
        """Return the columns *names* of a Parquet table in memory.  Raises: UnreadableTableError."""
        with _ours():
            table = pq.read_table(pa.BufferReader(data), columns=list(names), use_threads=False)
            return [table.column(name).to_pylist() for name in names]


def columnar(kind: TableKind) -> Columnar:
    return Columnar(kind)


@contextmanager
def _ours() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, KeyError, OSError) as error:
        # pyarrow says of bytes that are damaged that reading failed, without a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnreadableTableError(str(error).splitlines()[0] if str(error) else "malformed") from error
