"""Results as the verbs would give them, made by hand for the tests of what is drawn from them."""

from __future__ import annotations

from typing import Any

import dataver
from dataver import (
    AddedTarget,
    AddResult,
    Change,
    CheckedOutTarget,
    CheckoutResult,
    DiffResult,
    Entry,
    FetchResult,
    PushResult,
    RemoteStatsResult,
    RequestEstimate,
    StatusResult,
    Stored,
    TargetDiff,
    TargetStatus,
)

OID = b"\x01" + bytes(range(32))


def entry(path: bytes, size: int = 10, oid: bytes = OID) -> Entry:
    return Entry(path, 0, dataver.model.names.Oid(oid), size)  # type: ignore[attr-defined]


def change(
    kind: str, path: bytes, *, old: int | None = None, new: int | None = None, was: bytes = b""
) -> Change:
    """Return a change of *path* from *old* to *new* bytes; *was* is where a renamed file was."""
    return Change(
        kind,
        path,
        None if old is None else entry(was or path, old),
        None if new is None else entry(path, new),
    )


def added(**different: Any) -> AddedTarget:
    usual: dict[str, Any] = {
        "path": b"data",
        "pointer": b"data.dv",
        "is_folder": True,
        "files": 1204,
        "size": 3_100_000_000,
        "added": 1204,
        "modified": 0,
        "deleted": 0,
        "renamed": 0,
        "bytes_added": 3_100_000_000,
        "root_id": b"\xab" * 32,
        "is_new": True,
        "is_unchanged": False,
        "is_staged": True,
    }
    return AddedTarget(**{**usual, **different})


def add_result(*targets: AddedTarget, dry_run: bool = False) -> AddResult:
    return AddResult(targets, dry_run)


def target_status(**different: Any) -> TargetStatus:
    usual: dict[str, Any] = {
        "path": b"data",
        "pointer": b"data.dv",
        "state": "clean",
        "git": "committed",
        "changes": (),
        "at": "",
        "files": 1204,
        "size_text": "3.1 GB",
        "absent": 0,
        "missing": 0,
        "erased": 0,
        "remote_missing": None,
        "sparse": (),
    }
    return TargetStatus(**{**usual, **different})


def status_result(*targets: TargetStatus, **different: Any) -> StatusResult:
    return StatusResult("c0ffee0" + "0" * 33, targets, **different)


def many_changes() -> tuple[Change, ...]:
    """Return what the quickstart changes: 40 added, 2 deleted, 3 modified, 1 renamed, 120 MB more."""
    return (
        *(change("added", b"data/new%d" % n, new=3_000_000) for n in range(40)),
        *(change("deleted", b"data/old%d" % n, old=100) for n in range(2)),
        *(change("modified", b"data/mod%d" % n, old=100, new=200) for n in range(3)),
        change("renamed", b"data/there", old=7, new=7, was=b"data/here"),
    )


def diff_result(*targets: TargetDiff) -> DiffResult:
    return DiffResult("v1", "v2", targets)


def push_result(**different: Any) -> PushResult:
    usual: dict[str, Any] = {
        "remote": "origin",
        "files": 1204,
        "size": 3_100_000_000,
        "objects": 1310,
        "packs": 97,
        "sent": 2_900_000_000,
        "present": 0,
        "seconds": 41.2,
    }
    return PushResult(**{**usual, **different})


def fetch_result(**different: Any) -> FetchResult:
    usual: dict[str, Any] = {
        "remote": "origin",
        "files": 800,
        "size": 2_000_000_000,
        "objects": 810,
        "packs": 63,
        "received": 1_900_000_000,
        "requests": 70,
        "seconds": 20.0,
    }
    return FetchResult(**{**usual, **different})


def checkout_result(*targets: CheckedOutTarget, **different: Any) -> CheckoutResult:
    return CheckoutResult(targets, **different)


def checked_out(**different: Any) -> CheckedOutTarget:
    usual: dict[str, Any] = {
        "path": b"data",
        "written": 3,
        "deleted": 0,
        "kept": 1201,
        "size": 4_000,
        "absent": 0,
    }
    return CheckedOutTarget(**{**usual, **different})


def stats_result(**different: Any) -> RemoteStatsResult:
    usual: dict[str, Any] = {
        "remote": "origin",
        "url": "s3://bucket/prefix",
        "kinds": (Stored("blob", 120_000, 480_000_000), Stored("leaf", 310, 9_000_000)),
        "is_sampled": True,
        "packs": Stored("packs", 15, 489_000_000),
        "segments": Stored("segments", 2, 7_700_000),
        "rows": 120_310,
        "missing_packs": Stored("packs", 0, 0),
        "garbage_packs": Stored("packs", 0, 0),
        "garbage_segments": Stored("segments", 0, 0),
        "journal": Stored("entries", 41, 30_000),
        "states": Stored("states", 0, 0),
        "writers": (),
        "files_per_pack": 8000.0,
        "estimate": RequestEstimate(133, 150, 3),
        "listings": 1,
        "requests": 5,
        "seconds": 0.1,
    }
    return RemoteStatsResult(**{**usual, **different})
