"""This clone's own files: its secret and id, its configuration files read in order.

Everything lies in `<git common dir>/dataver`, where `git clean` does not reach, except for the
committed `.dataver/config.toml`.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping

from dataver.disk.atomic import make_folders, replace, write_new
from dataver.disk.disk import Disk
from dataver.errors import ConfigError, FormatError, LocalIOError, local_error
from dataver.formats.config import dump_parsed, load_parsed, parse_config
from dataver.formats.keys import Secret, decode_secret, encode_secret
from dataver.index.state import State
from dataver.model.config import Config, Layer, LayerKind, environment_layer, layer_of, resolve
from dataver.model.settings import parse_value

_CONFIG_STATE = "config"
_COMMAND_S = 60.0


def load_secret(common_folder: str) -> Secret | None:
    """Return the repository secret, or None.  Raises: FormatError, local errors."""
    path = f"{common_folder}/keys.toml"
    try:
        with open(path, "rb") as file:
            return decode_secret(file.read(8192), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise local_error(error, path) from error


def save_secret(common_folder: str, secret: Secret, disk: Disk) -> None:
    """Write the repository secret, readable by its owner alone."""
    make_folders(disk, common_folder)
    replace(disk, f"{common_folder}/keys.toml", encode_secret(secret), mode=0o600)


def secret_of_command(command: str, top: str) -> Secret:
    """Return the repository secret that *command* prints: 64 hex digits, or what `keys.toml` holds.

    Raises: ConfigError where it prints none, or fails; nothing of what it prints is shown.
    """
    from dataver.disk import process  # only where a command has the secret

    try:
        done = process.run(shlex.split(command), cwd=top, timeout_s=_COMMAND_S)
    except (LocalIOError, ValueError) as error:
        raise ConfigError("purge.key_cmd", "the command cannot be run") from error
    if done.status:
        raise ConfigError("purge.key_cmd", f"the command ended with status {done.status}")
    try:
        text = done.stdout.strip()
        return Secret(bytes.fromhex(text.decode())) if len(text) == 64 else decode_secret(done.stdout, "key")
    except (ValueError, FormatError) as error:
        raise ConfigError("purge.key_cmd", "the command prints no repository secret") from error


def new_secret() -> Secret:
    return Secret(os.urandom(32))


def clone_id(common_folder: str, disk: Disk) -> str:
    """Return this clone's id, 32 hex, drawn at first use."""
    path = f"{common_folder}/clone-id"
    for _ in range(2):
        try:
            with open(path, "rb") as file:
                text = file.read(64).decode("ascii", "replace").strip()
            if len(text) == 32:
                return text
            raise FormatError(
                path,
                "no clone id",
            )
        except FileNotFoundError:
            make_folders(disk, common_folder)
            try:
                write_new(disk, path, os.urandom(16).hex().encode() + b"\n")
            except FileExistsError:
                continue
    raise FormatError(path, "cannot be made")


# -- configuration --------------------------------------------------------------------------------


def config_files(top: str, common_folder: str) -> list[tuple[LayerKind, str]]:
    """Return the files that may hold settings, the strongest first."""
    import platformdirs  # 20 ms that a command with a cached config does not pay

    return [
        ("clone", f"{common_folder}/config.toml"),
        ("committed", f"{top}/.dataver/config.toml"),
        ("user", os.path.join(platformdirs.user_config_dir("dataver", appauthor=False), "config.toml")),
        ("system", os.path.join(platformdirs.site_config_dir("dataver", appauthor=False), "config.toml")),
    ]


def load_config(top: str, common_folder: str, overrides: Mapping[str, str], state: State) -> Config:
    """Return the settings in force.  Raises: ConfigError, local errors.

    What was parsed is kept in *state* and used again while the files' stats are the same.
    """
    parsed = _cached(state, (top, common_folder))
    if parsed is None:
        parsed = _parse_files(config_files(top, common_folder))
        state.put(_CONFIG_STATE, _dump(parsed, (top, common_folder)))
    layers = [layer_of(kind, path, tables) for kind, path, _, tables in parsed if tables]
    remotes = {name.split(".")[1] for layer in layers for name in layer.values if name.startswith("remote.")}
    layers.append(environment_layer(os.environ, remotes))
    flags = {name: parse_value(name, text, "command line") for name, text in overrides.items()}
    return resolve([Layer("flag", "command line", flags), *layers])


_Parsed = list[tuple[LayerKind, str, list[int], dict[str, object]]]


def _parse_files(files: list[tuple[LayerKind, str]]) -> _Parsed:
    found: _Parsed = []
    for kind, path in files:
        stamp = _stamp(path)
        tables: dict[str, object] = {}
        if stamp:
            try:
                with open(path, "rb") as file:
                    tables = parse_config(file.read(), path)
            except OSError as error:
                raise local_error(error, path) from error
        found.append((kind, path, stamp, tables))
    return found


def _stamp(path: str) -> list[int]:
    try:
        st = os.stat(path)
    except OSError:
        return []
    return [st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino]


def _environment(places: tuple[str, str]) -> list[str]:
    """Return what decides which files are read: a clone that was copied as a whole has others."""
    return [*places, *(os.environ.get(name, "") for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"))]


def _dump(parsed: _Parsed, places: tuple[str, str]) -> bytes:
    rows = [[kind, path, stamp, dump_parsed(tables).decode()] for kind, path, stamp, tables in parsed]
    return json.dumps([_environment(places), rows]).encode()


def _cached(state: State, places: tuple[str, str]) -> _Parsed | None:
    """Return what was parsed of files that are still the same, or None.

    A file that changed within the clock's last tick before it was read could change again unseen:
    the window is that of one edit by hand, and the change time is part of the stamp.
    """
    data = state.get(_CONFIG_STATE)
    if data is None:
        return None
    try:
        environment, rows = json.loads(data)
        if environment != _environment(places):
            return None
        parsed: _Parsed = []
        for kind, path, stamp, tables in rows:
            if _stamp(path) != stamp:
                return None
            parsed.append((kind, path, stamp, load_parsed(tables.encode())))
        return parsed
    except (ValueError, TypeError, AttributeError, FormatError):
        return None
