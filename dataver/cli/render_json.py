"""The `data` of each verb's JSON document.  Pure: a result in, plain values out.

Within one number of a schema keys are only added.  Sizes are in bytes, paths relative to the top
of the work tree; a path that is not UTF-8 is `{"b64": ...}`.

Longer than 300 lines because the documents of the first verbs stand in one table; newer ones are in
`_ELSEWHERE`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import dataver

if TYPE_CHECKING:
    from dataver import (
        AddResult,
        Change,
        CheckoutResult,
        ConfigListResult,
        DiffResult,
        FetchResult,
        InitResult,
        ListResult,
        MoveResult,
        PullResult,
        PushResult,
        RemoteAddResult,
        RemoteInfo,
        RemoteListResult,
        Result,
        StatusResult,
        TargetDiff,
        TargetStatus,
        UntrackResult,
    )

Json = dict[str, Any]


def data_of(result: Result) -> Json:
    """Return the `data` of a result."""
    name = type(result).__name__
    if name in _WRITERS:
        return _WRITERS[name](result)
    written: Json = import_module(f"dataver.cli.{_ELSEWHERE[name]}").data_of(result)
    return written


def path_of(raw: bytes) -> str | Json:
    """Return a path, or a file's content, as JSON holds it."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        import base64  # few names are not UTF-8

        return {"b64": base64.b64encode(raw).decode()}


def change_of(change: Change) -> Json:
    """Return one path that differs."""
    said: Json = {"path": path_of(change.path), "change": change.kind}
    if change.kind == "renamed" and change.old:
        said["from"] = path_of(change.old.path)
    said["size"] = change.new.size if change.new else None
    said["old_size"] = change.old.size if change.old else None
    if change.note:
        said["note"] = change.note
    return said


def _change_with_ids(change: Change) -> Json:
    said = change_of(change)
    for key, entry in (("old_oid", change.old), ("new_oid", change.new)):
        said[key] = dataver.format_oid(entry.oid) if entry and entry.oid else None
    return said


# -- one writer a result ------------------------------------------------------------------------------


def _init(result: InitResult) -> Json:
    return {"top": result.top, "branch": result.branch or None, "created": result.created}


def _add(result: AddResult) -> Json:
    targets = [
        {
            "path": path_of(t.path),
            "pointer": path_of(t.pointer),
            "kind": "directory" if t.is_folder else "file",
            "files": t.files,
            "size": t.size,
            "added": t.added,
            "modified": t.modified,
            "deleted": t.deleted,
            "renamed": t.renamed,
            "bytes_added": t.bytes_added,
            "root": t.root_id.hex(),
            "new": t.is_new,
            "staged": t.is_staged,
            "unchanged": t.is_unchanged,
            "dry_run": result.dry_run,
        }
        for t in result.targets
    ]
    return {"targets": targets}


def _status(result: StatusResult) -> Json:
    return {
        "head": result.head or None,
        "clean": result.is_clean,
        "fresh_clone": result.is_fresh_clone,
        "targets": [_status_target(target) for target in result.targets],
        "requests": result.requests,
    }


def _status_target(target: TargetStatus) -> Json:
    return {
        "path": path_of(target.path),
        "pointer": path_of(target.pointer),
        "kind": "directory" if target.is_folder else "file",
        "state": target.state,
        "git": target.git,
        "at": target.at or None,
        "from": path_of(target.moved_from) if target.moved_from else None,
        "changes": [change_of(change) for change in target.changes],
        "absent": target.absent,
        "missing": target.missing,
        "erased": target.erased,
        "erasures": list(target.erasures),
        "remote_missing": target.remote_missing,
        "sparse": list(target.sparse),
        "conflicts": [path_of(path) for path in target.conflicts],
        "files": target.files,
        # As the pointer says it, for people: "3.1 GB".  A pointer holds no exact size.
        "size": target.size_text,
    }


def _diff(result: DiffResult) -> Json:
    return {"a": result.old, "b": result.new, "targets": [_diff_target(target) for target in result.targets]}


def _diff_target(target: TargetDiff) -> Json:
    said: Json = {
        "path": path_of(target.path),
        "kind": "directory" if target.is_folder else "file",
        "added": target.count("added"),
        "modified": target.count("modified") + target.count("type"),
        "deleted": target.count("deleted"),
        "renamed": target.count("renamed"),
        "bytes_added": sum(c.new.size for c in target.changes if c.new and c.kind != "renamed"),
        "bytes_deleted": sum(c.old.size for c in target.changes if c.old and c.kind != "renamed"),
        "changes": [_change_with_ids(change) for change in target.changes],
    }
    if target.folders:
        said["dirs"] = [
            {
                "path": path_of(f.path),
                "added": f.added,
                "modified": f.modified,
                "deleted": f.deleted,
                "renamed": f.renamed,
                "size_change": f.size_change,
                "old_checksum": f.old_checksum or None,
                "new_checksum": f.new_checksum or None,
            }
            for f in target.folders
        ]
    if target.note:
        said["note"] = target.note
    return said


def _checkout(result: CheckoutResult) -> Json:
    targets = [
        {
            "path": path_of(t.path),
            "written": t.written,
            "deleted": t.deleted,
            "kept": t.kept,
            "bytes": t.size,
            "sparse": bool(t.absent),
            "absent": t.absent,
            "moved": t.is_moved,
        }
        for t in result.targets
    ]
    said: Json = {"rev": result.rev or None, "targets": targets, "dry_run": result.dry_run}
    if result.dry_run:
        said["changes"] = [change_of(change) for change in result.planned]
    return said


def _untrack(result: UntrackResult) -> Json:
    return {"targets": [path_of(path) for path in result.targets], "dry_run": result.dry_run}


def _list(result: ListResult) -> Json:
    entries = [
        {
            "path": path_of(e.path),
            "kind": e.kind,
            "size": e.size,
            "files": e.files,
            "oid": e.oid or None,
            "pointer": path_of(e.pointer),
            "checksum": e.checksum or None,
        }
        for e in result.entries
    ]
    return {"entries": entries}


def _move(result: MoveResult) -> Json:
    return {
        "source": path_of(result.source),
        "target": path_of(result.target),
        "pointer": path_of(result.pointer),
    }


def _push(result: PushResult) -> Json:
    return {
        "remote": result.remote,
        "files": result.files,
        "bytes": result.size,
        "sent_bytes": result.sent,
        "objects": result.objects,
        "packs": result.packs,
        "present_bytes": result.present,
        "requests": result.requests,
        "seconds": round(result.seconds, 3),
        "dry_run": result.dry_run,
        "seq": result.seq,
    }


def _fetch(result: FetchResult) -> Json:
    return {
        "remote": result.remote,
        "files": result.files,
        "bytes": result.size,
        "received_bytes": result.received,
        "objects": result.objects,
        "packs": result.packs,
        "requests": result.requests,
        "seconds": round(result.seconds, 3),
        "dry_run": result.dry_run,
    }


def _pull(result: PullResult) -> Json:
    return {
        "fetch": _fetch(result.fetch),
        "checkout": _checkout(result.checkout),
        "files": result.files,
        "total_files": result.total_files,
        "bytes": result.size,
        "patterns": list(result.patterns),
        "requests": result.requests,
    }


def _remote(remote: RemoteInfo) -> Json:
    return {"name": remote.name, "url": remote.url, "id": remote.remote_id, "default": remote.is_default}


def _remote_add(result: RemoteAddResult) -> Json:
    return {
        "remote": _remote(result.remote),
        "can_list": result.can_list,
        "can_write": result.can_write,
        "can_delete": result.can_delete,
        "create_if_absent": result.has_create_if_absent,
        "new": result.is_new,
    }


def _remote_list(result: RemoteListResult) -> Json:
    return {"remotes": [_remote(remote) for remote in result.remotes]}


def _config_list(result: ConfigListResult) -> Json:
    return {"values": [{"key": v.key, "value": v.value, "origin": v.origin} for v in result.values]}


_ELSEWHERE: dict[str, str] = {
    "VerifyResult": "render_verify",
    "GcResult": "render_gc",
    "LogResult": "render_history",
    "ResolveResult": "render_history",
    "HooksResult": "render_hooks",
    "PreCommitResult": "render_hooks",
    "CheckResult": "render_hooks",
    "DoctorResult": "render_hooks",
    "RemoteStatsResult": "render_stats",
    "PurgePlanResult": "render_purge_data",
    "PurgeRunResult": "render_purge_data",
    "PurgeVerifyResult": "render_purge_data",
    "PurgeShowResult": "render_purge_data",
    "PurgeListResult": "render_purge_data",
    "PurgeApproveResult": "render_purge_data",
    "SignersResult": "render_purge_data",
    "PurgeScanResult": "render_purge_data",
    "PurgeAuditResult": "render_purge_data",
    "ImpactResult": "render_purge_data",
    "HoldResult": "render_purge_data",
}
"""Results whose `data_of` stands beside their text, in another module of this package."""

_WRITERS: dict[str, Callable[[Any], Json]] = {
    "InitResult": _init,
    "AddResult": _add,
    "StatusResult": _status,
    "DiffResult": _diff,
    "CheckoutResult": _checkout,
    "UntrackResult": _untrack,
    "ListResult": _list,
    "MoveResult": _move,
    "PushResult": _push,
    "FetchResult": _fetch,
    "PullResult": _pull,
    "RemoteAddResult": _remote_add,
    "RemoteListResult": _remote_list,
    "ConfigListResult": _config_list,
}
