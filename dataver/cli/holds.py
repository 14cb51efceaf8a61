"""Commands on holds: hold add, list, release.  What is held is kept, and not delivered."""

from __future__ import annotations

from typing import Annotated

import typer

import dataver
from dataver.cli import render_purge
from dataver.cli.reading import given_lines
from dataver.cli.selecting import (
    Due,
    Files,
    Oids,
    PathFile,
    SelectedPaths,
    SigningKey,
    SubjectFile,
    Ticket,
)
from dataver.cli.session import Session


def add(
    context: typer.Context,
    paths: SelectedPaths = None,
    path_file: PathFile = "",
    oids: Oids = None,
    files: Files = None,
    subject_file: SubjectFile = "",
    due: Due = "",
    ticket: Ticket = "",
    signing_key: SigningKey = None,
) -> int:
    """Keep content that may neither be erased nor delivered, such as for a legal claim."""
    session: Session = context.obj
    listed = given_lines({"--path-file": path_file, "--subject-file": subject_file})
    with session.repo() as repo:
        result = dataver.hold_add(
            repo,
            paths=(*(paths or ()), *listed["--path-file"]),
            oids=oids or (),
            files=files or (),
            subjects=listed["--subject-file"],
            due=due,
            ticket=ticket,
            signing_key=signing_key or (),
            progress=session.progress(),
        )
    return session.show("hold-add", result, render_purge.held)


def list_(context: typer.Context) -> int:
    """List the holds in force."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.hold_list(repo)
    return session.show("hold-list", result, render_purge.held)


def release(
    context: typer.Context,
    hold: Annotated[str, typer.Argument(metavar="H-ID", help="A hold, like H-1f3a9c2e.")],
    signing_key: SigningKey = None,
) -> int:
    """End a hold: what it kept may be delivered, and erased, again."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.hold_release(repo, hold, signing_key=signing_key or ())
    return session.show("hold-release", result, render_purge.released)
