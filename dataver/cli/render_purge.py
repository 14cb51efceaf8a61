"""What an erasure would take, took, and where it stands, as text.  Pure.

Written for who has to answer for it: everything that was not reached is told as plainly as what was.

Longer than 300 lines because a plan, a report and a receipt are read together and use the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dataver.cli.wording import Page, counted, name, number
from dataver.errors import show_bytes, show_path

if TYPE_CHECKING:
    from dataver import (
        CloneReport,
        ErasureReport,
        HoldInfo,
        HoldResult,
        ImpactResult,
        PlannedRemote,
        PurgeApproveResult,
        PurgeAuditResult,
        PurgeListResult,
        PurgePlanResult,
        PurgeRunResult,
        PurgeScanResult,
        PurgeShowResult,
        PurgeVerifyResult,
        RemoteReport,
        SignersResult,
    )

_MOST = 20
"""Names of one kind that are shown; how many more there are is always told."""
_STATES = {
    "open": "begun",
    "settling": "waiting for writers",
    "pending": "not finished everywhere",
    "done": "done everywhere, not closed",
    "closed": "closed",
    "lifted": "lifted",
}
_LEVELS = {
    "none": "not looked at",
    "local": "by this clone's notes",
    "keys": "present files",
    "versions": "all versions, markers, uploads",
    "soft-deleted": "also what the provider keeps after deletion",
    "direct": "also each old version by its number",
}
_RESIDUE = {
    "pointer": "names of pointers",
    "commit message": "commit messages",
    "branch": "names of branches",
    "tag": "names of tags",
    "note": "notes in pointers",
}


# -- the plan ---------------------------------------------------------------------------------------


def planned(result: PurgePlanResult) -> Page:
    """Return all that an erasure would take and leave, and end with the digest to run."""
    lines = [*_amounts(result), *_files(result)]
    for remote in result.remotes:
        lines += _planned_remote(remote)
    lines += _shared(result)
    lines += _block("Held, and kept therefore:", [name(path) for path in result.held])
    why = [f"{name(path)}: {why}" for path, why in result.not_examined]
    lines += _block("Not looked into, and may hold it too:", why)
    lines += _residue(result)
    lines += _block(
        "Changed in commits that held it, and may be made from it:", [name(path) for path in result.hints]
    )
    if result.plan:
        lines += ["", f"Plan {result.plan}"]
    return Page(lines, _next_of(result), is_data=True)


def _amounts(result: PurgePlanResult) -> list[str]:
    tags = f", {counted(len(result.tags), 'tag')}: {_few(result.tags)}" if result.tags else ""
    contents = counted(result.contents, "different content")
    rows = [
        ("files", f"{counted(len(result.files), 'file')}, {contents}, {show_bytes(result.size)}"),
        ("versions", f"{counted(result.versions, 'version')} of data sets"),
        ("commits", f"{counted(result.commits, 'commit')}{tags}"),
        ("lists", f"{_entries(result.entries)} of {_leaves(result.leaves)}"),
    ]
    if result.unnamed_versions:
        verb = "holds" if result.unnamed_versions == 1 else "hold"
        rows.append(("", f"{_leaves(result.unnamed_versions)} that no commit here names {verb} it"))
    if result.rows:
        rows.append(("rows", f"{counted(result.rows, 'row')} leave their tables"))
    rows += [("due", result.due), ("reference", result.ticket)]
    return ["This erasure would take, from every version:", *_rows(rows)]


def _files(result: PurgePlanResult) -> list[str]:
    width = min(max((len(name(file.path)) for file in result.files[:_MOST]), default=0), 60)
    shown = [
        f"{name(file.path):<{width}}  {show_bytes(file.size):>7}, in {counted(file.versions, 'version')}"
        for file in result.files[:_MOST]
    ]
    return _block("Files:", shown, more=len(result.files) - len(shown))


def _planned_remote(remote: PlannedRemote) -> list[str]:
    head = f"Remote {remote.name} = {show_path(remote.url)} ({remote.kind})"
    if remote.state == "unreachable":
        return ["", f"{head}: cannot be reached now", "    It stays pending until the erasure is resumed."]
    rows = [
        f"{counted(remote.packs, 'pack')}, {show_bytes(remote.size)}: written anew without it, then deleted"
    ]
    if remote.versions > remote.packs:
        rows.append(f"{counted(remote.versions, 'version')}, delete markers and unfinished uploads of these")
    if remote.versioning:
        rows.append(f"versioning: {remote.versioning}")
    if remote.soft_delete_s:
        rows.append(f"deleted data is kept for {_days(remote.soft_delete_s)} more: RESTRICTED until then")
    rows += remote.notes
    rows += [f"in the way: {obstacle}" for obstacle in remote.obstacles]
    verdict = ": refused" if remote.state == "refused" else ""
    return ["", head + verdict, *(f"    {row}" for row in rows)]


def _shared(result: PurgePlanResult) -> list[str]:
    if not result.shared:
        return []
    head = {
        "erase": "The same content under other paths is erased there too:",
        "unlink": "The same content under other paths stays there:",
    }.get(result.shared_choice, "The same content lies under other paths, and somebody has to decide:")
    rows = [
        f"{name(one.path)} = {name(one.other)}{f', in {one.where}' if one.where else ''}"
        for one in result.shared
    ]
    return _block(head, rows)


def _residue(result: PurgePlanResult) -> list[str]:
    rows = []
    for kind, words in _RESIDUE.items():
        found = [show_path(one.where) for one in result.residue if one.kind == kind]
        if found:
            rows.append(f"{words}: {_few(found)}")
    return _block("Stays in Git, whose history is not rewritten:", rows)


def _next_of(result: PurgePlanResult) -> list[str]:
    if not result.plan:
        return []
    if result.signed < result.approvals:
        signed = f"Signatures: {number(result.signed)} of {number(result.approvals)}"
        return [signed, f"Next: dataver purge approve {result.plan} --signing-key FILE"]
    return [f"Next: dataver purge run {result.plan}"]


def approved(result: PurgeApproveResult) -> Page:
    """Return whose signature was taken, and how many are still needed."""
    lines = [f"Signed by {result.key}: {number(result.signed)} of {number(result.approvals)} signatures"]
    if result.signed < result.approvals:
        return Page(lines, [f"Next: somebody else runs dataver purge approve {result.plan}"])
    return Page(lines, [f"Next: dataver purge run {result.plan}"])


# -- an erasure -------------------------------------------------------------------------------------


def ran(result: PurgeRunResult) -> Page:
    """Return what was done here and on the remotes, and what comes next."""
    report = result.report
    lines = _report(report)
    if result.files or result.objects:
        lines.append(
            f"Removed here: {counted(result.files, 'file')} from work trees,"
            f" {counted(result.objects, 'object')} from the cache"
        )
    if result.receipt:
        lines.append(f"Receipt: {show_path(result.receipt)}")
    notes = _next_step(report)
    if result.staged:
        staged = ", ".join(name(path) for path in result.staged)
        notes.append(f'Staged {staged}: git commit -m "{report.erasure}" tells fresh clones of it')
    return Page(lines, notes, is_data=True)


def reported(result: PurgeVerifyResult) -> Page:
    """Return where an erasure stands."""
    return Page(_report(result.report), _next_step(result.report), is_data=True)


def shown(result: PurgeShowResult) -> Page:
    """Return an erasure with its receipt."""
    lines = _report(result.report)
    lines.append(f"Receipt: {result.receipt}" if result.receipt else "Receipt: none before it is closed")
    if result.page:
        lines.append(f"Page: {show_path(result.page)}")
    return Page(lines, _next_step(result.report), is_data=True)


def _report(report: ErasureReport) -> list[str]:
    head = f"{report.erasure}: {_STATES[report.state]}{' (OVERDUE)' if report.is_overdue else ''}"
    rows = [
        ("begun", report.date),
        ("due", report.due),
        ("closed", report.closed),
        ("reference", report.ticket),
        *_fact_rows(report),
        ("this clone", report.local),
    ]
    rows += [(remote.name, _remote_line(remote)) for remote in report.remotes]
    rows += _clone_rows(report.clones)
    rows.append(("signed by", ", ".join(report.signed_by)))
    return [head, *_rows(rows)]


_COUNTS = {
    "files": "file",
    "contents": "different content",
    "versions": "version",
    "commits": "commit",
    "tags": "tag",
    "rows": "row",
}
_TOLD = frozenset((*_COUNTS, "ticket", "entries", "leaves", "receipt", "shared", "residue", "not_examined"))


def _fact_rows(report: ErasureReport) -> list[tuple[str, str]]:
    """Return what the records say for people, in the order in which it is asked for."""
    facts = dict(report.facts)
    counts = ", ".join(found for key, noun in _COUNTS.items() if (found := _fact(facts, key, noun)))
    leaves = f"{_entries(report.entries)} of {_leaves(len(report.leaves))}" if report.leaves else ""
    shared = {"erase": "erased under other paths too", "unlink": "kept under other paths"}
    rows = [("erased", "; ".join(part for part in (counts, leaves) if part))]
    rows.append(("shared content", shared.get(facts.get("shared", ""), "")))
    unseen, named = _fact(facts, "not_examined", "data set"), _fact(facts, "residue", "place")
    rows.append(("not looked into", f"{unseen}: may hold it too" if unseen else ""))
    rows.append(("left in Git", f"{named} where it is named: history is not rewritten" if named else ""))
    return [*rows, *((key.replace("_", " "), value) for key, value in report.facts if key not in _TOLD)]


def _fact(facts: Mapping[str, str], key: str, noun: str) -> str:
    """Return a fact with what it counts; nothing for none."""
    value = facts.get(key, "0")
    if not value.isdecimal():
        return f"{value} {noun}s" if value else ""
    return counted(int(value), noun) if int(value) else ""


def _remote_line(remote: RemoteReport) -> str:
    state = f"{remote.state} until {remote.until}" if remote.until else remote.state
    said = f"{state} ({_LEVELS[remote.level]}), {remote.kind}"
    if remote.packs:
        said += f": {counted(remote.packs, 'pack')}, {show_bytes(remote.removed)} removed"
        said += f", {show_bytes(remote.written)} written anew"
    if remote.writers:
        said += f"; waits for {counted(len(remote.writers), 'writer')}: {_few(remote.writers)}"
    return "; ".join([said, *([remote.why] if remote.why else []), *remote.notes])


def _clone_rows(clones: Sequence[CloneReport]) -> list[tuple[str, str]]:
    if not clones:
        return []
    silent = [clone for clone in clones if not clone.acknowledged]
    rows = [("clones", f"{number(len(clones) - len(silent))} of {number(len(clones))} have removed it")]
    for clone in silent[:_MOST]:
        whose = " (this clone)" if clone.is_this else ""
        rows.append(("", f"silent: {clone.clone}{whose}, last seen {clone.last_seen or 'never'}"))
    if len(silent) > _MOST:
        rows.append(("", f"and {number(len(silent) - _MOST)} more silent"))
    return rows


def _next_step(report: ErasureReport) -> list[str]:
    if report.state in ("open", "settling", "pending"):
        return [f"Next: dataver purge resume {report.erasure}"]
    if any(remote.state == "PRESENT" for remote in report.remotes) or report.local == "PRESENT":
        return [f"Next: dataver purge sweep {report.erasure}"]
    if report.state == "done":
        return [f"Next: dataver purge close {report.erasure}"]
    return []


def listed(result: PurgeListResult) -> Page:
    """Return a line for each erasure."""
    if not result.erasures:
        return Page(["No erasures"])
    width = max(len(_STATES[report.state]) for report in result.erasures)
    lines = []
    for report in result.erasures:
        due = f"  due {report.due}{' OVERDUE' if report.is_overdue else ''}" if report.due else ""
        ticket = f"  {report.ticket}" if report.ticket else ""
        lines.append(f"{report.erasure}  {_STATES[report.state]:<{width}}  begun {report.date}{due}{ticket}")
    return Page(lines, is_data=True)


# -- looking ----------------------------------------------------------------------------------------


def scanned(result: PurgeScanResult) -> Page:
    """Return the files of a folder that hold erased content."""
    lines = [
        f"{hit.erasure}  {'deleted  ' if hit.deleted else ''}{show_path(hit.path)}" for hit in result.hits
    ]
    gone = sum(hit.deleted for hit in result.hits)
    found = counted(len(result.hits), "file") if result.hits else "none"
    looked = f"Looked at {counted(result.files, 'file')} in {show_path(result.folder)}"
    lines.append(f"{looked}: {found} with erased content{f', {number(gone)} deleted' if gone else ''}")
    return Page(lines, is_data=True)


def audited(result: PurgeAuditResult) -> Page:
    """Return each thing that was checked and how it was found."""
    lines = [
        f"{'good' if one.is_good else 'BAD '}  {one.what}{f': {one.why}' if one.why else ''}"
        for one in result.findings
    ]
    bad = sum(not one.is_good for one in result.findings)
    verdict = f"{number(bad)} of {counted(len(result.findings), 'check')} failed" if bad else "all is good"
    return Page([*lines, f"Audited {counted(result.records, 'record')}: {verdict}"], is_data=True)


def appointed(result: SignersResult) -> Page:
    """Return who may sign."""
    if not result.keys:
        return Page(["No signers are appointed: whoever can write to a remote can erase"])
    how_many = f"{number(result.approvals)} of them must sign an erasure"
    head = f"{'Appointed ' if result.changed else ''}{counted(len(result.keys), 'signer')}, {how_many}"
    notes = ["Next: git commit, so that every clone knows the first signers"] if result.changed else []
    return Page([head, *(f"    {key}" for key in result.keys)], notes, is_data=not result.changed)


def impacted(result: ImpactResult) -> Page:
    """Return what changed in commits that held erased data."""
    tags = f", {counted(len(result.tags), 'tag')}: {_few(result.tags)}" if result.tags else ""
    lines = [f"{result.erasure} was in {counted(result.commits, 'commit')}{tags}"]
    rows = [f"{name(one.path)}  {_few(one.commits)}" for one in result.paths[:_MOST]]
    lines += _block(
        "Changed in these commits, and may be made from it:", rows, more=len(result.paths) - len(rows)
    )
    if not rows:
        lines.append("Nothing else that is tracked changed in them")
    return Page(lines, is_data=True)


# -- holds ------------------------------------------------------------------------------------------


def held(result: HoldResult) -> Page:
    """Return the holds in force."""
    lines = [f"Holding {result.changed}"] if result.changed else []
    lines += [_hold_line(hold) for hold in result.holds]
    return Page(lines or ["No holds"], is_data=True)


def released(result: HoldResult) -> Page:
    """Return which hold ended, and those that are left."""
    return Page([f"Released {result.changed}", *(_hold_line(hold) for hold in result.holds)], is_data=True)


def _hold_line(hold: HoldInfo) -> str:
    due = f"  until {hold.due}" if hold.due else ""
    ticket = f"  {hold.ticket}" if hold.ticket else ""
    return f"{hold.hold}  {counted(hold.contents, 'content')}  since {hold.date}{due}{ticket}"


# -- words ------------------------------------------------------------------------------------------


def _rows(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Return lines of label and value; a row without a value is left out."""
    kept = [(label, value) for label, value in rows if value]
    width = max((len(label) for label, _ in kept), default=0)
    return [f"    {label:<{width}}  {value}" for label, value in kept]


def _block(head: str, rows: Sequence[str], *, more: int = 0) -> list[str]:
    """Return a paragraph of indented lines, at most so many; nothing where there are none."""
    if not rows:
        return []
    rest = more + max(len(rows) - _MOST, 0)
    tail = [f"    and {number(rest)} more"] if rest else []
    return ["", head, *(f"    {row}" for row in rows[:_MOST]), *tail]


def _few(words: Sequence[str]) -> str:
    shown = ", ".join(words[:5])
    return f"{shown} and {number(len(words) - 5)} more" if len(words) > 5 else shown


def _entries(count: int) -> str:
    return f"{number(count)} {'entry' if count == 1 else 'entries'}"


def _leaves(count: int) -> str:
    return f"{number(count)} {'leaf' if count == 1 else 'leaves'}"


def _days(seconds: int) -> str:
    return counted(max(round(seconds / 86_400), 1), "day")
