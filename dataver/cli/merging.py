"""The command that settles merges: resolve."""

from __future__ import annotations

from typing import Annotated

import typer

import dataver
from dataver.cli import render_history
from dataver.cli.options import DryRun
from dataver.cli.session import Session
from dataver.errors import UsageError


def resolve(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Targets in conflict, or paths inside; all by default."),
    ] = None,
    ours: Annotated[bool, typer.Option("--ours", help="Where both sides changed a path, take ours.")] = False,
    theirs: Annotated[
        bool, typer.Option("--theirs", help="Where both sides changed a path, take theirs.")
    ] = False,
    union: Annotated[bool, typer.Option("--union", help="Keep both: theirs as NAME.theirs.EXT.")] = False,
    dry_run: DryRun = False,
) -> int:
    """Settle pointers that a merge left in conflict, and stage them.

    Merges what does not conflict, and takes the side that you choose where it does. Without a side
    it merges again, as after a fetch, and lists what conflicts. The workspace stays as it is.
    """
    session: Session = context.obj
    sides = [name for name, wanted in (("ours", ours), ("theirs", theirs), ("union", union)) if wanted]
    if len(sides) > 1:
        raise UsageError(f"--{sides[0]} and --{sides[1]} exclude each other")
    with session.repo() as repo:
        result = dataver.resolve(
            repo,
            paths or (),
            side=sides[0] if sides else None,
            dry_run=dry_run,
            progress=session.progress(),
        )
    return session.show("resolve", result, render_history.resolved)
