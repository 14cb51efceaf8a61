"""The `data` of the documents of purge, impact and hold.  Pure.

Only the document of a plan holds names of what is erased.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dataver.cli.render_json import Json, path_of

if TYPE_CHECKING:
    from dataver import ErasureReport, HoldResult, PlannedRemote, PurgePlanResult, RemoteReport, Result


def data_of(result: Result) -> Json:
    """Return the `data` of a result."""
    import dataver  # the classes are loaded by whoever made the result

    match result:
        case dataver.PurgePlanResult():
            return _plan(result)
        case dataver.PurgeRunResult():
            return {
                **_report(result.report),
                "removed_files": result.files,
                "removed_objects": result.objects,
                "receipt": result.receipt or None,
                "staged": [path_of(path) for path in result.staged],
            }
        case dataver.PurgeVerifyResult():
            return _report(result.report)
        case dataver.PurgeShowResult():
            return {
                **_report(result.report),
                "receipt": result.receipt or None,
                "page": result.page or None,
            }
        case dataver.PurgeListResult():
            return {"erasures": [_report(report) for report in result.erasures]}
        case dataver.PurgeApproveResult():
            said = {"plan": result.plan, "signed": result.signed, "approvals": result.approvals}
            return {**said, "key": result.key}
        case dataver.SignersResult():
            return {"keys": list(result.keys), "approvals": result.approvals, "changed": result.changed}
        case dataver.PurgeScanResult():
            hits = [
                {"path": path_of(os.fsencode(hit.path)), "erasure": hit.erasure, "deleted": hit.deleted}
                for hit in result.hits
            ]
            return {"folder": path_of(os.fsencode(result.folder)), "files": result.files, "hits": hits}
        case dataver.PurgeAuditResult():
            findings = [{"what": f.what, "good": f.is_good, "why": f.why or None} for f in result.findings]
            return {"records": result.records, "findings": findings}
        case dataver.ImpactResult():
            paths = [{"path": path_of(one.path), "commits": list(one.commits)} for one in result.paths]
            said = {"erasure": result.erasure, "commits": result.commits}
            return {**said, "tags": list(result.tags), "paths": paths}
        case dataver.HoldResult():
            return _holds(result)
    raise TypeError(type(result).__name__)


def _plan(result: PurgePlanResult) -> Json:
    return {
        "plan": result.plan or None,
        "files": [
            {"path": path_of(file.path), "bytes": file.size, "versions": file.versions}
            for file in result.files
        ],
        "contents": result.contents,
        "bytes": result.size,
        "entries": result.entries,
        "leaves": result.leaves,
        "versions": result.versions,
        "unnamed_versions": result.unnamed_versions,
        "commits": result.commits,
        "tags": list(result.tags),
        "rows": result.rows,
        "shared": [
            {"path": path_of(one.path), "other": path_of(one.other), "repository": one.where or None}
            for one in result.shared
        ],
        "shared_choice": result.shared_choice or None,
        "held": [path_of(path) for path in result.held],
        "remotes": [_planned_remote(remote) for remote in result.remotes],
        "not_examined": [{"path": path_of(path), "why": why} for path, why in result.not_examined],
        "residue": [{"kind": one.kind, "where": one.where} for one in result.residue],
        "hints": [path_of(path) for path in result.hints],
        "due": result.due or None,
        "ticket": result.ticket or None,
        "approvals": result.approvals,
        "signed": result.signed,
    }


def _planned_remote(remote: PlannedRemote) -> Json:
    return {
        "name": remote.name,
        "url": remote.url,
        "kind": remote.kind,
        "state": remote.state,
        "packs": remote.packs,
        "bytes": remote.size,
        "versions": remote.versions,
        "versioning": remote.versioning or None,
        "soft_delete_s": remote.soft_delete_s,
        "obstacles": list(remote.obstacles),
        "notes": list(remote.notes),
    }


def _report(report: ErasureReport) -> Json:
    return {
        "erasure": report.erasure,
        "state": report.state,
        "date": report.date,
        "due": report.due or None,
        "overdue": report.is_overdue,
        "closed": report.closed or None,
        "ticket": report.ticket or None,
        "entries": report.entries,
        "leaves": [{"leaf": leaf, "entries": count} for leaf, count in report.leaves],
        "facts": dict(report.facts),
        "local": report.local,
        "remotes": [_remote(remote) for remote in report.remotes],
        "clones": [
            {
                "clone": clone.clone,
                "this": clone.is_this,
                "acknowledged": clone.acknowledged,
                "last_seen": clone.last_seen or None,
            }
            for clone in report.clones
        ],
        "signed_by": list(report.signed_by),
    }


def _remote(remote: RemoteReport) -> Json:
    return {
        "name": remote.name,
        "url": remote.url,
        "kind": remote.kind,
        "state": remote.state,
        "level": remote.level,
        "until": remote.until or None,
        "why": remote.why or None,
        "writers": list(remote.writers),
        "entries": remote.entries,
        "objects": remote.objects,
        "packs": remote.packs,
        "written_bytes": remote.written,
        "removed_bytes": remote.removed,
        "notes": list(remote.notes),
    }


def _holds(result: HoldResult) -> Json:
    holds = [
        {
            "hold": hold.hold,
            "date": hold.date,
            "due": hold.due or None,
            "contents": hold.contents,
            "ticket": hold.ticket or None,
        }
        for hold in result.holds
    ]
    return {"holds": holds, "changed": result.changed or None}
