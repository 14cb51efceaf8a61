"""Commands that guard the way between Git and the data: hooks install|uninstall|status, check, doctor."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

import dataver
from dataver.cli import render_hooks
from dataver.cli.options import AllRefs, Jobs, Paths, Refs, RemoteName
from dataver.cli.session import Session


def install(context: typer.Context) -> int:
    """Let Git call dataver: check out after a switch, look before a commit, push data before commits.

    Hooks that are there keep what they have.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.hooks_install(repo)
    return session.show("hooks-install", result, render_hooks.installed)


def uninstall(context: typer.Context) -> int:
    """Take dataver out of Git's hooks again; each file is then as it was before."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.hooks_uninstall(repo)
    return session.show("hooks-uninstall", result, render_hooks.uninstalled)


def status(context: typer.Context) -> int:
    """Say where Git looks for hooks and which of them call dataver."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.hooks_status(repo)
    return session.show("hooks-status", result, render_hooks.hooks_listed)


def check(
    context: typer.Context,
    paths: Paths = None,
    refs: Refs = None,
    all_refs: AllRefs = False,
    remote: RemoteName = None,
    jobs: Jobs = None,
) -> int:
    """Look whether a remote has all data that commits name; exit with 1 when it has not.

    Without --refs or --all it looks at HEAD. Needs no data here: made for CI.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.check(
            repo,
            paths or (),
            refs=refs,
            all_refs=all_refs,
            remote=remote,
            jobs=jobs,
            progress=session.progress(),
        )
    return session.show("check", result, render_hooks.checked)


def doctor(
    context: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no remote.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without any risk.")] = False,
) -> int:
    """Say what is wrong with this clone and how to mend it; changes nothing unless told to."""
    session: Session = context.obj
    result = dataver.doctor(".", offline=offline, fix=fix, progress=session.progress())
    # As text each problem is told once, among everything else that was looked at.
    told = result if session.options.is_json else replace(result, failed=())
    return session.show("doctor", told, render_hooks.examined, exit_status=result.exit_status)
