"""What hooks, check and doctor say: as text, and as the `data` of their documents.  Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dataver.cli import render_text
from dataver.cli.render_json import Json, path_of
from dataver.cli.wording import Page, counted, name, number, quoted

if TYPE_CHECKING:
    from dataver import (
        CheckoutResult,
        CheckResult,
        DoctorResult,
        Finding,
        HookInfo,
        HooksResult,
        PreCommitResult,
        Result,
        Unadded,
    )

_MISSING = "missing-object"


def data_of(result: Result) -> Json:
    """Return the `data` of a result."""
    import dataver  # the classes are loaded by whoever made the result

    match result:
        case dataver.HooksResult():
            return _hooks_data(result)
        case dataver.CheckResult():
            return _check_data(result)
        case dataver.DoctorResult():
            return _doctor_data(result)
        case dataver.PreCommitResult():
            return {"unadded": [_unadded_data(each) for each in result.unadded]}
    raise TypeError(type(result).__name__)


# -- hooks ------------------------------------------------------------------------------------------


def installed(result: HooksResult) -> Page:
    """Return which hooks call dataver now."""
    done = [hook.name for hook in result.hooks if hook.changed]
    there = [hook for hook in result.hooks if hook.state in ("installed", "by-hand")]
    lines = []
    if done:
        lines.append(f"Installed in {_folder(result)}: {', '.join(done)}")
    elif len(there) == len(result.hooks):
        lines.append(f"Nothing to do: all hooks in {_folder(result)} call dataver")
    notes = []
    if done and result.is_in_worktree:
        notes.append("The hooks lie among your files: once they are committed, every clone has them.")
    return Page(lines, notes)


def uninstalled(result: HooksResult) -> Page:
    """Return which hooks do not call dataver any more."""
    done = [hook.name for hook in result.hooks if hook.changed]
    lines = [f"Taken out of {_folder(result)}: {', '.join(done)}"] if done else ["Nothing to take out"]
    hands = [hook.name for hook in result.hooks if hook.state == "by-hand"]
    notes = [f"Still called by hand from: {', '.join(hands)}"] if hands else []
    return Page(lines, notes)


def hooks_listed(result: HooksResult) -> Page:
    """Return every hook with what it is."""
    lines = [f"Hooks in {_folder(result)}", *(f"  {_hook_line(hook)}" for hook in result.hooks)]
    hints = dict.fromkeys(_hook_hint(hook) for hook in result.hooks)
    return Page(lines, [f"hint: {hint}" for hint in hints if hint], is_data=True)


def _folder(result: HooksResult) -> str:
    return f"{result.folder}{f' (core.hooksPath = {result.setting})' if result.setting else ''}"


_STATES = {
    "installed": "calls dataver",
    "by-hand": "calls dataver (by hand)",
    "outdated": "calls an older dataver",
    "missing": "not installed",
    "foreign": "there, and does not call dataver",
    "disabled": "calls dataver, but Git does not run it",
}


def _hook_line(hook: HookInfo) -> str:
    note = f" ({hook.note})" if hook.note else ""
    return f"{hook.name:<14} {_STATES[hook.state]}{note}"


def _hook_hint(hook: HookInfo) -> str:
    if hook.state in ("missing", "outdated"):
        return "dataver hooks install"
    return hook.hint


def _hooks_data(result: HooksResult) -> Json:
    hooks = [
        {
            "name": hook.name,
            "path": hook.path,
            "state": hook.state,
            "changed": hook.changed,
            "note": hook.note or None,
            "hint": _hook_hint(hook) or None,
        }
        for hook in result.hooks
    ]
    return {
        "folder": result.folder,
        "hooks_path": result.setting or None,
        "in_worktree": result.is_in_worktree,
        "hooks": hooks,
    }


# -- what hooks say -----------------------------------------------------------------------------------


def without_absent(result: CheckoutResult) -> CheckoutResult:
    """Return *result* without a failure for each file that is not in the cache: a hook counts those."""
    return replace(result, failed=tuple(f for f in result.failed if f.code != _MISSING))


def brought(result: CheckoutResult) -> Page:
    """Return what a hook checked out, and how much has to be pulled."""
    lines = (
        render_text.checked_out(result).lines if any(t.written or t.deleted for t in result.targets) else []
    )
    absent = sum(f.code == _MISSING for f in result.failed)
    notes = []
    if absent:
        paths = [f.path for f in result.failed if f.code == _MISSING]
        what = (
            f"{name(paths[0])} is" if absent == 1 else f"{name(paths[0])} and {number(absent - 1)} more are"
        )
        notes = [f"{what} not in the cache.", "hint: dataver pull"]
    return Page(lines, notes)


def left_out(result: PreCommitResult) -> Page:
    """Return what a commit leaves out."""
    notes = [f"Not in this commit: {_unadded_line(each)}" for each in result.unadded]
    to_add = [each.path for each in result.unadded if each.changes]
    to_stage = [each.path + b".dv" for each in result.unadded if not each.changes]
    if to_add:
        notes.append(f"hint: dataver add {quoted(to_add)}")
    if to_stage:
        notes.append(f"hint: git add {quoted(to_stage)}")
    return Page([], notes)


def _unadded_line(unadded: Unadded) -> str:
    shown = name(unadded.path, is_folder=unadded.is_folder)
    if not unadded.changes:
        return f"the new version of {shown}, which is added but not staged"
    return f"{counted(unadded.changes, 'change')} in {shown}"


def _unadded_data(unadded: Unadded) -> Json:
    return {"path": path_of(unadded.path), "changes": unadded.changes, "folder": unadded.is_folder}


# -- check --------------------------------------------------------------------------------------------


def checked(result: CheckResult) -> Page:
    """Return whether a remote has everything."""
    what = f"{counted(result.versions, 'version')} of {result.refs}"
    if not result.versions and not result.failed:
        return Page([f"Nothing to look for: {result.refs} names no data"])
    if result.lacking:
        number_ = len(result.lacking)
        return Page([f"{result.remote} lacks data of {number(number_)} of {what}"])
    if result.failed:
        return Page([])
    return Page([f"{result.remote} has everything: {what}, {counted(result.objects, 'object')}"])


def _check_data(result: CheckResult) -> Json:
    lacking = [
        {
            "path": path_of(each.path),
            "commit": each.commit or None,
            "author": each.author or None,
            "subject": each.subject or None,
            "files": each.files,
            "paths": [path_of(path) for path in each.paths],
        }
        for each in result.lacking
    ]
    return {
        "remote": result.remote,
        "refs": result.refs,
        "versions": result.versions,
        "objects": result.objects,
        "lacking": lacking,
        "requests": result.requests,
        "seconds": round(result.seconds, 3),
    }


# -- doctor -------------------------------------------------------------------------------------------


def examined(result: DoctorResult) -> Page:
    """Return one line for each thing that was looked at."""
    lines = []
    for finding in result.findings:
        lines.append(f"{_mark(finding):<8} {finding.topic}: {finding.message}")
        if finding.hint:
            lines.append(f"         {finding.hint}")
    bad = sum(f.state == "problem" and not f.is_mended for f in result.findings)
    odd = sum(f.state == "warning" and not f.is_mended for f in result.findings)
    lines.append(
        f"{counted(bad, 'problem')}, {counted(odd, 'warning')}" if bad or odd else "Nothing is wrong."
    )
    return Page(lines, is_data=True)


def _mark(finding: Finding) -> str:
    return "mended" if finding.is_mended else finding.state


def _doctor_data(result: DoctorResult) -> Json:
    findings = [
        {
            "topic": finding.topic,
            "state": finding.state,
            "message": finding.message,
            "hint": finding.hint or None,
            "mended": finding.is_mended,
        }
        for finding in result.findings
    ]
    return {"top": result.top or None, "findings": findings}
