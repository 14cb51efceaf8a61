"""Commands between cache and remote: push fetch pull."""

from __future__ import annotations

from functools import partial

import typer

import dataver
from dataver.cli import render_text
from dataver.cli.options import AllRefs, DryRun, Force, Jobs, Paths, Refs, RemoteName, Strict
from dataver.cli.session import Session


def push(
    context: typer.Context,
    paths: Paths = None,
    remote: RemoteName = None,
    refs: Refs = None,
    all_refs: AllRefs = False,
    dry_run: DryRun = False,
    jobs: Jobs = None,
) -> int:
    """Send data to a remote.

    Sends what the pointers in HEAD, in Git's index and in the workspace name. When it exits with 0,
    a fresh clone can restore all of it.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.push(
            repo,
            paths or (),
            remote=remote,
            refs=refs,
            all_refs=all_refs,
            dry_run=dry_run,
            jobs=jobs,
            progress=session.progress(),
        )
    return session.show("push", result, partial(render_text.pushed, has_cost=session.options.is_verbose))


def fetch(
    context: typer.Context,
    paths: Paths = None,
    remote: RemoteName = None,
    refs: Refs = None,
    all_refs: AllRefs = False,
    dry_run: DryRun = False,
    strict: Strict = False,
    jobs: Jobs = None,
) -> int:
    """Bring data from a remote into the cache; the workspace stays as it is."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.fetch(
            repo,
            paths or (),
            remote=remote,
            refs=refs,
            all_refs=all_refs,
            dry_run=dry_run,
            strict=strict,
            jobs=jobs,
            progress=session.progress(),
        )
    return session.show("fetch", result, partial(render_text.fetched, has_cost=session.options.is_verbose))


def pull(
    context: typer.Context,
    paths: Paths = None,
    remote: RemoteName = None,
    force: Force = False,
    dry_run: DryRun = False,
    strict: Strict = False,
    jobs: Jobs = None,
) -> int:
    """Fetch, then check out.

    With paths only those arrive, and that is remembered: what stays away counts as absent, never as
    deleted.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.pull(
            repo,
            paths or (),
            remote=remote,
            force=force,
            dry_run=dry_run,
            strict=strict,
            jobs=jobs,
            progress=session.progress(),
        )
    return session.show("pull", result, partial(render_text.pulled, has_cost=session.options.is_verbose))
