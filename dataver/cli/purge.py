"""Commands that erase, `purge ...`, and impact, which tells what may have been made from erased data.

Whom an erasure is about is never an
argument: other users of a machine see those, and shells keep them.
"""

from __future__ import annotations

from typing import Annotated

import typer

import dataver
from dataver.cli import render_purge
from dataver.cli.reading import given_lines
from dataver.cli.selecting import (
    AcceptUnverifiable,
    Due,
    ErasureId,
    Files,
    Oids,
    PathFile,
    PlanDigest,
    SelectedPaths,
    SharedChoice,
    SigningKey,
    SubjectFile,
    Ticket,
)
from dataver.cli.session import Session


def plan(
    context: typer.Context,
    paths: SelectedPaths = None,
    path_file: PathFile = "",
    oids: Oids = None,
    files: Files = None,
    subject_file: SubjectFile = "",
    rows: Annotated[
        list[str] | None,
        typer.Option("--rows", metavar="TABLE", help="A table that loses the rows of the subjects."),
    ] = None,
    key: Annotated[str, typer.Option("--key", metavar="COLUMN", help="The tables' column of subjects.")] = "",
    rev: Annotated[
        str | None, typer.Option("--rev", metavar="RANGE", help="Select only from versions of a range.")
    ] = None,
    due: Due = "",
    ticket: Ticket = "",
    shared: Annotated[
        SharedChoice | None,
        typer.Option("--shared", help="What to do with content that other paths hold too."),
    ] = None,
    remotes: Annotated[
        list[str] | None,
        typer.Option("--remote", metavar="NAME", help="Only this remote; all of them when not given."),
    ] = None,
) -> int:
    """Say what an erasure would take, everywhere, and change nothing.

    Ends with the digest that `purge run` takes. Subjects are read from a file or from stdin (-), one a
    line, and never given as arguments.
    """
    session: Session = context.obj
    listed = given_lines({"--path-file": path_file, "--subject-file": subject_file})
    with session.repo() as repo:
        result = dataver.purge_plan(
            repo,
            paths=(*(paths or ()), *listed["--path-file"]),
            oids=oids or (),
            files=files or (),
            subjects=listed["--subject-file"],
            rows=rows or (),
            key=key,
            rev=rev,
            due=due,
            ticket=ticket,
            shared=shared or "",
            remotes=remotes or (),
            progress=session.progress(),
        )
    return session.show("purge-plan", result, render_purge.planned)


def run(
    context: typer.Context,
    plan: PlanDigest,
    signing_key: SigningKey = None,
    accept_unverifiable: AcceptUnverifiable = False,
) -> int:
    """Carry out a plan: its digest is the consent, nothing is asked.

    A right, a lock or a hold that stands in the way on any remote refuses before anything is changed.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_run(
            repo,
            plan,
            signing_key=signing_key or (),
            accept_unverifiable=accept_unverifiable,
            progress=session.progress(),
        )
    return session.show("purge-run", result, render_purge.ran)


def resume(
    context: typer.Context,
    erasure: ErasureId,
    signing_key: SigningKey = None,
    accept_unverifiable: AcceptUnverifiable = False,
) -> int:
    """Go on with an erasure that is not done everywhere.

    From any clone: the records say all that is needed, and the plan is not.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_resume(
            repo,
            erasure,
            signing_key=signing_key or (),
            accept_unverifiable=accept_unverifiable,
            progress=session.progress(),
        )
    return session.show("purge-resume", result, render_purge.ran)


def sweep(
    context: typer.Context,
    erasure: ErasureId,
    restored: Annotated[
        list[str] | None,
        typer.Option("--restored", metavar="NAME", help="A remote that came back from a backup."),
    ] = None,
    signing_key: SigningKey = None,
    accept_unverifiable: AcceptUnverifiable = False,
) -> int:
    """Apply an erasure again, after a backup was restored.

    From its records alone; they hold no personal data.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_sweep(
            repo,
            erasure,
            restored=restored or (),
            signing_key=signing_key or (),
            accept_unverifiable=accept_unverifiable,
            progress=session.progress(),
        )
    return session.show("purge-sweep", result, render_purge.ran)


def verify(context: typer.Context, erasure: ErasureId) -> int:
    """Look again whether what was erased is gone.

    In this clone and on every remote; ABSENT is told with how far the look went.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_verify(repo, erasure, progress=session.progress())
    return session.show("purge-verify", result, render_purge.reported)


def show(
    context: typer.Context,
    erasure: ErasureId,
    page: Annotated[
        str | None, typer.Option("--page", metavar="FILE", help="Write the receipt as a page for people.")
    ] = None,
) -> int:
    """Show an erasure and its receipt.

    With --page as a web page that needs nothing else and can be printed.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_show(repo, erasure, page=page)
    return session.show("purge-show", result, render_purge.shown)


def close(context: typer.Context, erasure: ErasureId, signing_key: SigningKey = None) -> int:
    """Close an erasure that is done everywhere.

    The closing record names the receipt, so that it can be proven later.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_close(
            repo, erasure, signing_key=signing_key or (), progress=session.progress()
        )
    return session.show("purge-close", result, render_purge.ran)


def list_(
    context: typer.Context,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose date has passed.")] = False,
) -> int:
    """List all erasures with their dates and how far they are."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_list(repo, overdue=overdue)
    return session.show("purge-list", result, render_purge.listed)


def scan(
    context: typer.Context,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Any folder, such as a restored backup.")],
    delete: Annotated[bool, typer.Option("--delete", help="Delete the files that are found.")] = False,
) -> int:
    """Look in any folder for files with content that was erased."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_scan(repo, folder, delete=delete, progress=session.progress())
    return session.show("purge-scan", result, render_purge.scanned)


def audit(
    context: typer.Context,
    receipt: Annotated[
        str | None, typer.Argument(metavar="[RECEIPT]", help="A receipt to hold against the records.")
    ] = None,
) -> int:
    """Check records, signatures and a receipt, offline.

    A receipt is a file, or E-ID for the one that this clone keeps.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_audit(repo, receipt)
    return session.show("purge-audit", result, render_purge.audited)


def impact(context: typer.Context, erasure: ErasureId) -> int:
    """Say what may have been made from erased data: what changed in commits that held it."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.impact(repo, erasure, progress=session.progress())
    return session.show("impact", result, render_purge.impacted)
