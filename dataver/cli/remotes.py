"""Commands on remotes: remote add, list, remove, rename, set, default, stats."""

from __future__ import annotations

from typing import Annotated

import typer

import dataver
from dataver.cli import render_stats, render_text
from dataver.cli.session import Session
from dataver.cli.wording import Page

Name = Annotated[str, typer.Argument(metavar="NAME", help="A remote's name.")]


def add(
    context: typer.Context,
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="s3://bucket/prefix, gs://..., or a folder.")],
    default: Annotated[bool, typer.Option("--default", help="Use it when no remote is named.")] = False,
    endpoint_url: Annotated[
        str | None,
        typer.Option("--endpoint-url", metavar="URL", help="Where an S3 that is not Amazon's answers."),
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", metavar="NAME", help="The bucket's region.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="A profile of the cloud's own tools.")
    ] = None,
    anon: Annotated[bool, typer.Option("--anon", help="Without credentials.")] = False,
) -> int:
    """Name a place for data, and check that it can be listed, written and deleted.

    The first remote becomes the default one. The name and the place are staged in
    .dataver/config.toml; credentials never are.
    """
    session: Session = context.obj
    said = {
        "endpoint_url": endpoint_url,
        "region": region,
        "profile": profile,
        "anon": "true" if anon else None,
    }
    settings = {key: value for key, value in said.items() if value is not None}
    with session.repo() as repo:
        result = dataver.remote_add(repo, name, url, default=default or None, settings=settings)
    return session.show("remote-add", result, render_text.remote_added)


def list_(context: typer.Context) -> int:
    """List the remotes."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.remote_list(repo)
    return session.show("remote-list", result, render_text.remotes_listed)


def remove(context: typer.Context, name: Name) -> int:
    """Forget a remote; what it holds stays."""
    session: Session = context.obj
    with session.repo() as repo:
        dataver.remote_remove(repo, name)
    return session.say(
        "remote-remove", {"name": name}, Page([f"Removed remote {name}; what it holds stays."])
    )


def rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The present name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new one.")],
) -> int:
    """Rename a remote."""
    session: Session = context.obj
    with session.repo() as repo:
        dataver.remote_rename(repo, old, new)
    return session.say("remote-rename", {"old": old, "new": new}, Page([f"Renamed remote {old} to {new}."]))


def set_(
    context: typer.Context,
    name: Name,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Such as url, region, endpoint_url.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its new value.")],
) -> int:
    """Set a key of a remote. Secrets go into this clone's own settings, never into Git."""
    session: Session = context.obj
    with session.repo() as repo:
        dataver.remote_set(repo, name, key, value)
    return session.say("remote-set", {"name": name, "key": key}, Page([f"Set {key} of remote {name}."]))


def default(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The remote to use from now on.")
    ] = None,
) -> int:
    """Print the default remote, or choose another."""
    session: Session = context.obj
    with session.repo() as repo:
        chosen = dataver.remote_default(repo, name)
    page = Page([chosen], is_data=True) if name is None else Page([f"The default remote is {chosen}."])
    return session.say("remote-default", {"name": chosen}, page)


def stats(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The remote; the default one when not given.")
    ] = None,
) -> int:
    """Count what lies on a remote, and say what pushes and pulls cost there.

    Takes a listing and a look at the journal, never a request per file.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.remote_stats(repo, name)
    return session.show("remote-stats", result, render_stats.counted_up)
