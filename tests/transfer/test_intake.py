"""What arrives becomes part of the cache in batches, of bytes or of time."""

from __future__ import annotations

from pathlib import Path

from dataver.model.names import blob_name
from dataver.transfer.intake import Intake
from tests.store.faults import MovedClock
from tests.transfer.workbench import Clone, new_clone, oid_of


def _take(intake: Intake, clone: Clone, data: bytes) -> None:
    temp = clone.cache.temp_path()
    Path(temp).write_bytes(data)
    intake.take_blob(temp, oid_of(data), len(data))


def test_what_came_slowly_is_kept_before_a_batch_is_full(tmp_path: Path) -> None:
    clone, clock = new_clone(tmp_path), MovedClock()
    with Intake(clone.cache, clone.disk, clock) as intake:
        _take(intake, clone, b"first")
        before = clone.cache.has(blob_name(oid_of(b"first")))
        clock.sleep(10.0)

        _take(intake, clone, b"second")

        assert not before
        assert clone.cache.has(blob_name(oid_of(b"first")))
        assert clone.cache.has(blob_name(oid_of(b"second")))
