"""Where a push puts its packs: the remote's own session, or a rehearsal that writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Protocol

from dataver.formats.pack import Table
from dataver.hashing import Buffer
from dataver.model.names import ObjectName, StructureId
from dataver.store.push import Overtaken, Redacted
from dataver.transfer.wanted import Ends


class Session(Protocol):
    """Where packs go: `store.push.Push`, or `Rehearsal`."""

    @property
    def resumed_objects(self) -> int: ...

    def missing(self, names: Sequence[ObjectName]) -> list[ObjectName]: ...

    def upload(self, pack_id: StructureId, source: str | Buffer) -> None: ...

    def added(self, table: Table, size: int) -> None: ...

    def commit(
        self,
        roots: Iterable[bytes],
        *,
        overtaken: Callable[[Overtaken], None] | None = None,
        redacted: Redacted = (),
    ) -> int: ...

    def __enter__(self) -> Session: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Rehearsal:
    """A session that writes nothing: what a dry run pushes to."""

    resumed_objects = 0

    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    def missing(self, names: Sequence[ObjectName]) -> list[ObjectName]:
        return self._ends.remote.missing(names)

    def upload(self, pack_id: StructureId, source: str | Buffer) -> None:
        return None

    def added(self, table: Table, size: int) -> None:
        return None

    def commit(
        self,
        roots: Iterable[bytes],
        *,
        overtaken: Callable[[Overtaken], None] | None = None,
        redacted: Redacted = (),
    ) -> int:
        return 0

    def __enter__(self) -> Rehearsal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
