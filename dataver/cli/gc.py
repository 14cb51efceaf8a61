"""The command that takes away what nothing needs: gc."""

from __future__ import annotations

import re
from typing import Annotated

import typer

import dataver
from dataver.cli import render_gc
from dataver.cli.options import DryRun, Jobs
from dataver.cli.session import Session
from dataver.errors import UsageError

_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def gc(
    context: typer.Context,
    cache: Annotated[bool, typer.Option("--cache", help="The cache; also when no place is named.")] = False,
    remote: Annotated[
        str | None,
        typer.Option("--remote", metavar="[NAME]", help="A remote; the default one without a name."),
    ] = None,
    dry_run: DryRun = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="On a remote: do it; without this it is only told.")
    ] = False,
    grace: Annotated[
        str | None,
        typer.Option("--grace", metavar="DURATION", help="How long what goes is kept, such as 14d."),
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Delete at once, without a grace period.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Bring back all that is set aside.")] = False,
    pushed: Annotated[
        bool, typer.Option("--pushed", help="Free local copies of what the remote is shown to hold.")
    ] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="With --pushed: those of the present versions too.")
    ] = False,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="First fetch the trees, not the files, that the cache lacks.")
    ] = False,
    ignore_missing: Annotated[
        bool, typer.Option("--ignore-missing", help="Take trees that the cache lacks for lost.")
    ] = False,
    forget: Annotated[
        str | None,
        typer.Option("--forget", metavar="PATH", help="Forget a registered repository that is gone."),
    ] = None,
    repos: Annotated[
        list[str] | None,
        typer.Option("--repo", metavar="PATH", help="On a remote: ask this other repository too."),
    ] = None,
    jobs: Jobs = None,
) -> int:
    """Take away what no version needs that anything still names.

    Every branch, tag, stash, work tree, index and reflog of every repository that uses the cache is
    asked first. What goes is set aside and deleted when the grace period is over; --undo brings it
    back. On a remote nothing is done without --apply.
    """
    session: Session = context.obj
    grace_s = _grace_of(grace, now=now)
    is_remote = remote is not None and not (cache or pushed or fetch)
    with session.repo() as repo:
        if undo:
            result = dataver.gc_undo(repo, dry_run=dry_run, progress=session.progress())
        elif forget is not None:
            result = dataver.gc_forget(repo, forget, dry_run=dry_run)
        elif is_remote:
            result = dataver.gc_remote(
                repo,
                remote=remote or None,
                is_dry=dry_run or not apply,
                grace_s=grace_s,
                repos=repos or (),
                ignore_missing=ignore_missing,
                jobs=jobs,
                progress=session.progress(),
            )
        else:
            if all_ and not pushed:
                raise UsageError("--all goes with --pushed", hint="dataver gc --cache --pushed --all")
            result = dataver.gc(
                repo,
                grace_s=grace_s,
                dry_run=dry_run,
                pushed=pushed,
                frees_present=all_,
                fetch_trees=fetch,
                ignore_missing=ignore_missing,
                remote=remote or None,
                progress=session.progress(),
            )
    return session.show("gc", result, render_gc.collected)


def _grace_of(text: str | None, *, now: bool) -> int | None:
    """Return the seconds that were asked for; None where nothing was said."""
    if text is None:
        return 0 if now else None
    found = _DURATION.fullmatch(text)
    if now or found is None:
        why = f"--grace: expected a time such as 14d or 12h, found {text!r}"
        why = "--now and --grace exclude each other" if now else why
        raise UsageError(why, hint="dataver gc --help")
    return int(found[1]) * _SECONDS[found[2]]
