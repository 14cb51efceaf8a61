"""Commands on settings: config list, get, set, unset."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

import dataver
from dataver.cli import render_text
from dataver.cli.session import Session
from dataver.cli.wording import Page
from dataver.errors import UsageError

Key = Annotated[str, typer.Argument(metavar="KEY", help="Such as cache.dir.")]
Local = Annotated[bool, typer.Option("--local", help="In this clone's own settings, not in Git.")]
User = Annotated[bool, typer.Option("--user", help="In your own settings, for all repositories.")]


def list_(
    context: typer.Context,
    show_origin: Annotated[bool, typer.Option("--show-origin", help="Say where each stands.")] = False,
) -> int:
    """List all settings."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.config_list(repo)
    return session.show(
        "config-list", result, lambda found: render_text.settings_listed(found, has_origin=show_origin)
    )


def get(context: typer.Context, key: Key) -> int:
    """Print a setting."""
    session: Session = context.obj
    with session.repo() as repo:
        value = dataver.config_get(repo, key)
    data = {"key": value.key, "value": value.value, "origin": value.origin}
    return session.say("config-get", data, Page([render_text.setting_text(value)], is_data=True))


def set_(
    context: typer.Context,
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its new value.")],
    local: Local = False,
    user: User = False,
) -> int:
    """Change a setting: in the committed .dataver/config.toml, unless told otherwise."""
    session: Session = context.obj
    scope = _scope(is_local=local, is_user=user)
    with session.repo() as repo:
        dataver.config_set(repo, key, value, scope=scope)
    return session.say(
        "config-set", {"key": key, "value": value, "scope": scope}, Page([f"Set {key} = {value}."])
    )


def unset(context: typer.Context, key: Key, local: Local = False, user: User = False) -> int:
    """Remove a setting."""
    session: Session = context.obj
    scope = _scope(is_local=local, is_user=user)
    with session.repo() as repo:
        dataver.config_unset(repo, key, scope=scope)
    return session.say("config-unset", {"key": key, "scope": scope}, Page([f"Removed {key}."]))


def _scope(*, is_local: bool, is_user: bool) -> Literal["repo", "local", "user"]:
    if is_local and is_user:
        raise UsageError("--local and --user are two places: give one")
    return "local" if is_local else "user" if is_user else "repo"
