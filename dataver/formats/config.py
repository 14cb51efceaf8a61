"""Config files: TOML to nested tables, edits that keep a person's comments, and a cached form.

See docs/configuration.md.  What the keys mean is `model.config`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from dataver.errors import ConfigError, FormatError

MAX_SIZE = 256 * 1024
"""Of a config file, in bytes."""
_CACHED_VERSION = 1

Scalar = str | int | bool | list[str]
Parsed = dict[str, object]
"""Tables as nested dicts, values as TOML gives them."""


def parse_config(data: bytes, origin: str) -> Parsed:
    """Return the tables of a config file; *origin* names it in errors.  Raises: ConfigError."""
    import tomllib  # 10 ms that a command with a cached config does not pay

    if len(data) > MAX_SIZE:
        raise ConfigError(origin, f"{len(data)} bytes long, at most {MAX_SIZE}")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise ConfigError(origin, "not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(origin, f"not TOML: {error}") from None


def dump_parsed(parsed: Mapping[str, object]) -> bytes:
    """Return *parsed* in a form that `load_parsed` reads without tomllib; the same for the same tables.

    JSON: msgpack would cost every start 35 ms.  Dates, which no key takes, become text.
    """
    return json.dumps([_CACHED_VERSION, parsed], sort_keys=True, default=str).encode()


def load_parsed(data: bytes) -> Parsed:
    """Return what `dump_parsed` was given.  Raises: FormatError: parse the file again."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError("cached config", str(error)) from error
    if not isinstance(whole, list) or len(whole) != 2 or whole[0] != _CACHED_VERSION:
        raise FormatError("cached config", "of another version")
    if not isinstance(whole[1], dict):
        raise FormatError("cached config", "no table")
    return whole[1]


def set_key(data: bytes, key: Sequence[str], value: Scalar | tuple[str, ...], origin: str) -> bytes:
    """Return the config file *data* with *key* (its parts) set to *value*; all else stays as it is.

    Raises: ConfigError when *data* is no TOML, or a part of *key* is there and no table.
    """
    import tomlkit  # only `config` and `remote` edit files
    from tomlkit.items import Table

    document = _document(data, origin)
    table: tomlkit.TOMLDocument | Table = document
    for depth, part in enumerate(key[:-1], 1):
        if part not in table:
            # `[remote.origin]` needs no empty `[remote]` above it.
            table.append(part, tomlkit.table(is_super_table=depth < len(key) - 1))
        below = table[part]
        if not isinstance(below, Mapping):
            raise ConfigError(".".join(key[:depth]), "is a value and no table", origin=origin)
        table = below  # type: ignore[assignment]
    table[key[-1]] = list(value) if isinstance(value, tuple) else value
    return tomlkit.dumps(document).encode()


def unset_key(data: bytes, key: Sequence[str], origin: str) -> bytes:
    """Return the config file *data* without *key* (a value or a whole table); tables left empty go.

    Raises: ConfigError when *data* is no TOML; a key that is not there is no error.
    """
    import tomlkit  # only `config` and `remote` edit files

    document = _document(data, origin)
    chain: list[object] = [document]
    for part in key[:-1]:
        below = chain[-1]
        if not isinstance(below, Mapping) or part not in below:
            return data
        chain.append(below[part])
    for depth in range(len(key) - 1, -1, -1):
        table = chain[depth]
        if (
            isinstance(table, dict)
            and key[depth] in table
            and (depth == len(key) - 1 or not table[key[depth]])
        ):
            del table[key[depth]]
    return tomlkit.dumps(document).encode()


def _document(data: bytes, origin: str) -> "tomlkit.TOMLDocument":  # type: ignore[name-defined]  # noqa: F821, UP037
    import tomlkit  # only `config` and `remote` edit files
    from tomlkit.exceptions import TOMLKitError

    parse_config(data, origin)  # one judge of what is TOML, with its limits
    try:
        return tomlkit.parse(data)
    except TOMLKitError as error:
        raise ConfigError(origin, f"not TOML: {error}") from None
