"""The command that tells the history of data: log."""

from __future__ import annotations

from typing import Annotated

import typer

import dataver
from dataver.cli import render_history
from dataver.cli.session import Session
from dataver.cli.words import split_words


def log(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REV|A..B] [--] [PATH]...",
            help="A revision or a range; targets or paths inside, all targets by default.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("-n", "--limit", metavar="N", min=1, help="Only the last N commits.")
    ] = None,
    name_only: Annotated[bool, typer.Option("--name-only", help="Print the paths that changed.")] = False,
    no_follow: Annotated[
        bool, typer.Option("--no-follow", help="Do not go on under the name before a rename.")
    ] = False,
) -> int:
    """Show which commits changed a dataset, or a path inside it, and how; the newest first.

    With --verbose also each path that changed.
    """
    session: Session = context.obj
    with session.repo() as repo:
        revs, paths = split_words(repo, words or [], 2)
        rev = "..".join(revs) if revs else None
        result = dataver.log(repo, paths, rev=rev, limit=limit, follow=not no_follow)
    is_long = session.options.is_verbose
    return session.show(
        "log", result, lambda found: render_history.logged(found, is_long=is_long, is_names=name_only)
    )
