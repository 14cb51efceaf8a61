"""Commands about who may erase: `purge approve`, `purge signers`, `purge lift`."""

from __future__ import annotations

from typing import Annotated

import typer

import dataver
from dataver.cli import render_purge
from dataver.cli.reading import given_text
from dataver.cli.selecting import ErasureId, PlanDigest, SigningKey
from dataver.cli.session import Session


def approve(
    context: typer.Context,
    plan: PlanDigest,
    signing_key: SigningKey = None,
    signature: Annotated[
        str | None,
        typer.Option("--signature", metavar="FILE|-", help="A signature that was made elsewhere."),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Only print the bytes to be signed; they hold no names.")
    ] = False,
) -> int:
    """Sign a plan, or take a signature of it that was made elsewhere.

    Elsewhere `ssh-keygen -Y sign -n dataver-erasure -f KEY FILE` signs what --text prints.
    """
    session: Session = context.obj
    armored = given_text("--signature", signature) if signature else None
    with session.repo() as repo:
        if text:
            session.write(dataver.approval_text(repo, plan))
            return 0
        result = dataver.purge_approve(repo, plan, signing_key=signing_key or (), signature=armored)
    return session.show("purge-approve", result, render_purge.approved)


def signers(
    context: typer.Context,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEYFILE]...", help="SSH public keys, a file each; none to list them."),
    ] = None,
    approvals: Annotated[
        int, typer.Option("--approvals", metavar="N", min=1, help="How many of them must sign an erasure.")
    ] = 1,
    signing_key: SigningKey = None,
) -> int:
    """Say who may sign erasures, or appoint them.

    The first ones are pinned in the settings, which are to be committed; later ones are signed by
    those in force.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_signers(repo, keys or (), approvals=approvals, signing_key=signing_key or ())
    return session.show("purge-signers", result, render_purge.appointed)


def lift(context: typer.Context, erasure: ErasureId, signing_key: SigningKey = None) -> int:
    """Let erased content come back, after consent was given again; old versions stay as they are."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.purge_lift(repo, erasure, signing_key=signing_key or ())
    return session.show("purge-lift", result, render_purge.shown)
