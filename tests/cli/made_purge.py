"""Results of erasing, made by hand for the tests of what is drawn from them."""

from __future__ import annotations

from typing import Any

from dataver import (
    CloneReport,
    ErasureReport,
    PlannedFile,
    PlannedRemote,
    PurgePlanResult,
    PurgeRunResult,
    RemoteReport,
    Residue,
    SharedContent,
)

PLAN = "6f1c" * 16
LEAF = "ab" * 32


def planned_remote(**different: Any) -> PlannedRemote:
    usual: dict[str, Any] = {
        "name": "origin",
        "url": "s3://bucket/prefix",
        "kind": "s3",
        "state": "ready",
        "packs": 3,
        "size": 96_000_000,
        "versions": 7,
        "versioning": "enabled",
    }
    return PlannedRemote(**{**usual, **different})


def plan_result(**different: Any) -> PurgePlanResult:
    usual: dict[str, Any] = {
        "plan": PLAN,
        "files": (
            PlannedFile(b"data/users/u1041/face.jpg", 2_000_000, 5),
            PlannedFile(b"data/users/u1041/x", 10, 1),
        ),
        "contents": 2,
        "size": 2_000_010,
        "entries": 6,
        "leaves": 2,
        "versions": 5,
        "unnamed_versions": 1,
        "commits": 7,
        "tags": ("v1", "v2"),
        "shared": (),
        "shared_choice": "",
        "held": (),
        "remotes": (planned_remote(),),
        "not_examined": ((b"data/old.zip", "an archive"),),
        "residue": (Residue("commit message", "c0ffee0"), Residue("tag", "u1041-import")),
        "hints": (b"models/churn.bin",),
        "due": "2026-03-02",
        "ticket": "GDPR-17",
    }
    return PurgePlanResult(**{**usual, **different})


def shared(**different: Any) -> SharedContent:
    usual: dict[str, Any] = {"path": b"data/users/u1041/x", "other": b"data/users/u7/x", "where": ""}
    return SharedContent(**{**usual, **different})


def remote_report(**different: Any) -> RemoteReport:
    usual: dict[str, Any] = {
        "name": "origin",
        "url": "s3://bucket/prefix",
        "kind": "s3",
        "state": "ABSENT",
        "level": "direct",
        "entries": 6,
        "objects": 2,
        "packs": 3,
        "written": 90_000_000,
        "removed": 96_000_000,
    }
    return RemoteReport(**{**usual, **different})


def clone_report(clone: str = "1f3a9c2e", **different: Any) -> CloneReport:
    usual: dict[str, Any] = {"is_this": False, "acknowledged": True, "last_seen": "2026-02-20"}
    return CloneReport(clone, **{**usual, **different})


def report(**different: Any) -> ErasureReport:
    usual: dict[str, Any] = {
        "erasure": "E-1f3a9c2e",
        "state": "closed",
        "date": "2026-02-19",
        "due": "2026-03-02",
        "is_overdue": False,
        "ticket": "GDPR-17",
        "leaves": ((LEAF, 4), ("cd" * 32, 2)),
        "facts": (
            ("commits", "7"),
            ("contents", "2"),
            ("entries", "6"),
            ("files", "2"),
            ("leaves", "2"),
            ("not_examined", "1"),
            ("residue", "2"),
            ("shared", "none"),
            ("tags", "2"),
            ("versions", "5"),
        ),
        "remotes": (remote_report(),),
        "clones": (
            clone_report(is_this=True),
            clone_report("77aa00ff", acknowledged=False, last_seen="2025-12-01"),
        ),
        "signed_by": ("SHA256:0123456789",),
        "local": "ABSENT",
        "closed": "2026-02-21",
    }
    return ErasureReport(**{**usual, **different})


def run_result(**different: Any) -> PurgeRunResult:
    usual: dict[str, Any] = {
        "report": report(),
        "files": 3,
        "objects": 5,
        "receipt": "/srv/churn/.git/dataver/receipts/E-1f3a9c2e.json",
        "staged": (b".dataver/erasure.toml",),
    }
    return PurgeRunResult(**{**usual, **different})
