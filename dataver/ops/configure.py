"""`config`: read and change settings, each file keeping its comments."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Literal

from dataver.disk.atomic import make_folders, replace
from dataver.errors import ConfigError, local_error
from dataver.formats.config import parse_config, set_key, unset_key
from dataver.model.config import LayerKind, layer_of
from dataver.model.results import ConfigListResult, ConfigValue
from dataver.model.settings import is_secret, key_of, parse_value
from dataver.repo import CONFIG_FILE, Repo
from dataver.workspace.local import config_files

Scope = Literal["repo", "local", "user"]
"""The committed file, this clone's own, or the person's."""

_LAYERS: dict[Scope, LayerKind] = {"repo": "committed", "local": "clone", "user": "user"}
_HIDDEN = "(hidden)"


def config_list(repo: Repo) -> ConfigListResult:
    """Return every setting in force with where it comes from, defaults included; secrets stay hidden.

    Raises: ConfigError.
    """
    rows = repo.config.listed()
    return ConfigListResult(
        tuple(ConfigValue(key, _shown(key, value), origin) for key, value, origin in rows)
    )


def config_get(repo: Repo, key: str) -> ConfigValue:
    """Return the setting *key*.  Raises: ConfigError for an unknown one."""
    key_of(key)
    return ConfigValue(key, _shown(key, repo.config.get(key)), repo.config.origin(key))


def _shown(key: str, value: object) -> object:
    return _HIDDEN if value and is_secret(key) else value


def config_set(repo: Repo, key: str, value: str, *, scope: Scope = "repo") -> None:
    """Write the setting *key* into one place; the committed file is staged in Git.

    Raises: ConfigError for an unknown key, a wrong value, or a key that may not stand there.
    """
    checked = parse_value(key, value)
    edit_config(repo, scope, partial(_with_key, key=key, value=checked))


def config_unset(repo: Repo, key: str, *, scope: Scope = "repo") -> None:
    """Remove the setting *key* from one place.  Raises: ConfigError where it does not stand there."""
    key_of(key)
    edit_config(repo, scope, partial(_without_key, key=key))


def _with_key(data: bytes, path: str, *, key: str, value: bool | int | str | tuple[str, ...]) -> bytes:
    return set_key(data, key.split("."), value, path)


def _without_key(data: bytes, path: str, *, key: str) -> bytes:
    changed = unset_key(data, key.split("."), path)
    if changed == data:
        raise ConfigError(key, "is not set there", origin=path, hint="dataver config list --show-origin")
    return changed


def edit_config(repo: Repo, scope: Scope, change: Callable[[bytes, str], bytes]) -> None:
    """Replace the config file of *scope* by what *change* makes of its bytes and path.

    A result that would be refused when it is read is refused here.

    Raises: ConfigError, local errors.
    """
    path = dict(config_files(repo.top, repo.common_folder))[_LAYERS[scope]]
    try:
        with open(path, "rb") as file:
            before = file.read()
    except FileNotFoundError:
        before = b""
    except OSError as error:
        raise local_error(error, path) from error
    after = change(before, path)
    if after == before:
        return
    layer_of(_LAYERS[scope], path, parse_config(after, path))
    make_folders(repo.disk, os.path.dirname(path))
    # This clone's file may hold secrets.
    replace(repo.disk, path, after, mode=0o644 if scope == "repo" else 0o600)
    if scope == "repo":
        repo.git.stage([os.fsencode(CONFIG_FILE)], force=True)
    repo.reload_config()
