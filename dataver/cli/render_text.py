"""What the commands say to a person.  Pure: a result in, a page of lines out.

`status` and `diff` have modules of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataver.cli.render_diff import change_line
from dataver.cli.wording import Page, changes_in_short, counted, duration, name, number
from dataver.errors import show_bytes, show_path

if TYPE_CHECKING:
    from dataver import (
        AddedTarget,
        AddResult,
        CheckedOutTarget,
        CheckoutResult,
        ConfigListResult,
        ConfigValue,
        FetchResult,
        InitResult,
        ListResult,
        MoveResult,
        PullResult,
        PushResult,
        RemoteAddResult,
        RemoteListResult,
        UntrackResult,
    )


def initialised(result: InitResult, home: str = "") -> Page:
    """Return what `init` says; a path below *home* is shown with `~`."""
    top = show_path(result.top)
    if home and (result.top == home or result.top.startswith(f"{home}/")):
        top = "~" + top[len(show_path(home)) :]
    branch = f"git branch {result.branch}" if result.branch else "git HEAD is detached"
    word = "Initialised dataver in" if result.created else "dataver is already initialised in"
    return Page([f"{word} {top} ({branch})"], ["Next: dataver add <path>"] if result.created else [])


# -- add, untrack, mv -------------------------------------------------------------------------------


def added(result: AddResult) -> Page:
    """Return a line for each target; and the commit that comes next, where all is new."""
    lines = [_added_line(target, is_dry=result.dry_run) for target in result.targets]
    new = [target for target in result.targets if target.is_new and target.is_staged]
    if result.dry_run or not new or len(new) < len(result.targets):
        return Page(lines)
    names = ", ".join(show_path(target.path) for target in new) if len(new) <= 3 else "data"
    message = f"Add {names}".replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    return Page(lines, [f'Next: git commit -m "{message}"'])


def _added_line(target: AddedTarget, *, is_dry: bool) -> str:
    shown = name(target.path, is_folder=target.is_folder)
    whole = f"{counted(target.files, 'file')}, {show_bytes(target.size)}"
    if target.is_unchanged:
        return f"Unchanged {shown}  {whole}"
    what = whole
    if not target.is_new:
        counts = (target.added, target.deleted, target.modified, target.renamed)
        what = changes_in_short(counts, target.bytes_added)
    word = "Would track" if is_dry else "Tracked"
    return f"{word} {shown}  {what} -> {name(target.pointer)}{_staged(target, is_dry=is_dry)}"


def _staged(target: AddedTarget, *, is_dry: bool) -> str:
    if is_dry:
        return ""
    if not target.is_staged:
        return " (not staged)"
    return " (staged with .gitignore)" if target.is_new else " (staged)"


def untracked(result: UntrackResult) -> Page:
    """Return a line for each target that is not tracked any more."""
    word = "Would untrack" if result.dry_run else "Untracked"
    rest = "pointer and ignore line go; the data stays" if result.dry_run else "the data stays"
    return Page([f"{word} {show_path(path)} ({rest})" for path in result.targets])


def moved(result: MoveResult) -> Page:
    """Return where a target went."""
    return Page([f"Moved {name(result.source)} -> {name(result.target)} ({name(result.pointer)} staged)"])


# -- checkout ---------------------------------------------------------------------------------------


def checked_out(result: CheckoutResult) -> Page:
    """Return a line for each target that was touched; with a dry run also each path."""
    lines = [
        _checked_out_line(target, result)
        for target in result.targets
        if target.written or target.deleted or target.is_moved
    ]
    if result.dry_run:
        lines += [f"    {change_line(change)}" for change in result.planned]
    if lines or result.failed:
        return Page(lines)
    if not result.targets:
        return Page(["Nothing is tracked yet."], ["hint: dataver add <path>"])
    return Page([f"Nothing to do: the workspace is at {result.rev or 'its pointers'}"])


def _checked_out_line(target: CheckedOutTarget, result: CheckoutResult) -> str:
    done = []
    if target.is_moved:
        done.append("moved after its pointer")
    if target.written:
        done.append(f"{counted(target.written, 'file')} written")
    if target.deleted:
        done.append(f"{number(target.deleted)} deleted")
    word = "Would check out" if result.dry_run else "Checked out"
    at = f" at {result.rev}" if result.rev else ""
    size = f" ({show_bytes(target.size)})" if target.size else ""
    return f"{word} {name(target.path, is_folder=target.is_folder)}{at}  {', '.join(done)}{size}"


# -- push, fetch, pull ------------------------------------------------------------------------------


def pushed(result: PushResult, *, has_cost: bool = False) -> Page:
    """Return what went to the remote; with *has_cost*, and in a dry run, also what that costs."""
    cost = _cost(result.requests, result.packs, f"{show_bytes(result.sent)} sent", is_dry=result.dry_run)
    costs = [cost] if has_cost or result.dry_run else []
    what = f"{counted(result.files, 'file')}, {show_bytes(result.size)}"
    there = f"({show_bytes(result.present)} already there)"
    if result.dry_run:
        line = f"Would push {what} to {result.remote}: {counted(result.objects, 'object')} {there}"
        return Page([line, *costs])
    if not result.objects:
        if result.failed:
            return Page([])
        return Page([f"Nothing to push: {result.remote} has all {what}", *costs])
    packs = f"{counted(result.packs, 'pack')} in {duration(result.seconds)}"
    return Page([f"Pushed {what} to {result.remote}: {packs} {there}", *costs])


def _cost(requests: int, packs: int, amount: str, *, is_dry: bool) -> str:
    """Return what a transfer costs, or would cost."""
    about = "about " if is_dry else ""
    return f"Cost: {about}{counted(requests, 'request')}, {counted(packs, 'pack')}, {amount}"


def fetched(result: FetchResult, *, has_cost: bool = False) -> Page:
    """Return what came from the remote into the cache; with *has_cost*, and in a dry run, its cost."""
    received = f"{show_bytes(result.received)} received"
    costs = [_cost(result.requests, result.packs, received, is_dry=result.dry_run)]
    costs = costs if has_cost or result.dry_run else []
    what = f"{counted(result.files, 'file')}, {show_bytes(result.size)}"
    if result.dry_run:
        line = f"Would fetch {counted(result.objects, 'object')} of {what} from {result.remote}"
        return Page([line, *costs])
    if not result.objects:
        if result.failed:
            return Page([])
        return Page([f"Nothing to fetch: the cache has all {what}", *costs])
    packs = f"{counted(result.packs, 'pack')} in {duration(result.seconds)}"
    return Page([f"Fetched {what} from {result.remote}: {packs} ({received})", *costs])


def pulled(result: PullResult, *, has_cost: bool = False) -> Page:
    """Return what a pull brought into the workspace; with *has_cost*, and in a dry run, its cost."""
    received = f"{show_bytes(result.fetch.received)} received"
    costs = [_cost(result.requests, result.fetch.packs, received, is_dry=False)] if has_cost else []
    if result.fetch.dry_run:
        placed = checked_out(result.checkout).lines if result.checkout.targets else ()
        return Page([*fetched(result.fetch).lines, *placed])
    few = result.files != result.total_files
    of = f"{number(result.files)} of " if few else ""
    only = f" ({', '.join(result.patterns)} only)" if result.patterns else ""
    what = f"{of}{counted(result.total_files, 'file')}, {show_bytes(result.size)}{only}"
    if not result.fetch.objects and not any(t.written or t.deleted for t in result.checkout.targets):
        return Page([] if result.failed else [f"Up to date: {what}", *costs])
    return Page([f"Pulled {what}", *costs])


# -- ls ---------------------------------------------------------------------------------------------


def listed(result: ListResult, *, has_checksum: bool = False) -> Page:
    """Return a line for each entry: size and name; with *has_checksum* its checksum first."""
    lines = []
    for entry in result.entries:
        line = f"{show_bytes(entry.size):>7}  {name(entry.path, is_folder=entry.kind == 'folder')}"
        if has_checksum:
            line = f"{entry.checksum or entry.oid:<71}  {line}"
        lines.append(line + {"executable": "*", "symlink": "@"}.get(entry.kind, ""))
    notes = [] if lines or result.failed else ["Nothing is tracked here."]
    return Page(lines, notes, is_data=True)


# -- remotes and settings ---------------------------------------------------------------------------


def remote_added(result: RemoteAddResult) -> Page:
    """Return what a remote was found able to do."""
    remote = result.remote
    abilities = [
        f"{'can' if can else 'cannot'} {what}"
        for can, what in (
            (result.can_list, "list"),
            (result.can_write, "write"),
            (result.can_delete, "delete"),
        )
    ]
    holds = "holds" if result.has_create_if_absent else "does not hold: let only one clone write at a time"
    default = " (default)" if remote.is_default else ""
    used = "" if result.is_new else " It already is a dataver remote, which is used."
    line = f"Remote {remote.name} = {remote.url}{default}.{used}"
    if result.can_write:
        abilities.append(f"create-if-absent {holds}")
    return Page([f"{line} Checked: {', '.join(abilities)}."])


def remotes_listed(result: RemoteListResult) -> Page:
    """Return a line for each remote."""
    width = max((len(remote.name) for remote in result.remotes), default=0)
    lines = [
        f"{remote.name:<{width}}  {remote.url}{'  (default)' if remote.is_default else ''}"
        for remote in result.remotes
    ]
    notes = [] if lines else ["No remote is configured.", "hint: dataver remote add origin URL"]
    return Page(lines, notes, is_data=True)


def settings_listed(result: ConfigListResult, *, has_origin: bool = False) -> Page:
    """Return a line for each setting; with *has_origin* also where it stands."""
    lines = [
        f"{value.key} = {setting_text(value)}{f'  ({value.origin})' if has_origin else ''}"
        for value in result.values
    ]
    return Page(lines, is_data=True)


def setting_text(value: ConfigValue) -> str:
    """Return a setting's value as `config set` takes it."""
    if isinstance(value.value, bool):
        return str(value.value).lower()
    if isinstance(value.value, list | tuple):
        return ", ".join(str(item) for item in value.value)
    return "" if value.value is None else str(value.value)
