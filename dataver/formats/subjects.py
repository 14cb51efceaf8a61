"""`.dataver/subjects.toml`: TOML to subject rules.  See docs/format.md, chapter "Subject rules".

Strict: what is not understood is refused, since a rule that silently covers nothing protects nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dataver.errors import ConfigError, UnsupportedError
from dataver.model.names import fault_of_path
from dataver.model.subjects import (
    PATH,
    STEM,
    SUBJECT,
    PathRule,
    RowsRule,
    Rule,
    Rules,
    SidecarRule,
    TableRule,
)

FILE = ".dataver/subjects.toml"
VERSION = 1
MAX_SIZE = 256 * 1024
"""Of the file, in bytes."""
MAX_RULES = 256
_MAX_NAME = 1024


def decode_rules(data: bytes, origin: str = FILE) -> Rules:
    """Return the rules in *data*; *origin* names the file in errors.

    Raises: ConfigError for what is malformed or unknown, UnsupportedError for a later version.
    """
    import tomllib  # 10 ms that a repository without rules does not pay

    if len(data) > MAX_SIZE:
        raise _refusal(origin, f"{len(data)} bytes long, at most {MAX_SIZE}")
    try:
        whole = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise _refusal(origin, "not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _refusal(origin, f"not TOML: {error}") from None
    version = whole.get("version")
    if type(version) is int and version > VERSION:
        raise UnsupportedError(f"{origin}: version", version)
    if type(version) is not int or version != VERSION:
        raise _refusal(origin, f"must begin with `version = {VERSION}`")
    unknown = sorted(whole.keys() - {"version", "rule"})
    if unknown:
        raise _refusal(origin, f"unknown key {unknown[0]!r}")
    rules = whole.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise _refusal(origin, "rules are written `[[rule]]`")
    if len(rules) > MAX_RULES:
        raise _refusal(origin, f"{len(rules)} rules, at most {MAX_RULES}")
    return Rules(tuple(_rule(rule, number, origin) for number, rule in enumerate(rules, 1)))


def _refusal(where: str, why: str) -> ConfigError:
    return ConfigError(where, why, hint=f"mend {FILE}; docs/format.md says what it may hold")


def _rule(table: Mapping[str, object], number: int, origin: str) -> Rule:
    where = f"{origin}: rule {number}"
    kinds = [name for name in _KINDS if name in table]
    if len(kinds) != 1:
        raise _refusal(where, f"needs exactly one of {', '.join(_KINDS)}")
    needed, make = _KINDS[kinds[0]]
    unknown = sorted(table.keys() - {"target", *needed})
    if unknown:
        raise _refusal(where, f"unknown key {unknown[0]!r} in a rule with {kinds[0]!r}")
    values = []
    for name in ("target", *needed):
        value = table.get(name)
        if not isinstance(value, str) or not value:
            raise _refusal(where, f"needs {name!r}, a text that is not empty")
        if len(value) > _MAX_NAME or not value.isprintable():
            raise _refusal(where, f"{name!r} is too long, or holds control characters")
        values.append(value)
    return make(where, values)


def _path_rule(where: str, values: list[str]) -> PathRule:
    target, path = (_path(where, value) for value in values)
    _check_template(where, "path", path, (SUBJECT,))
    component = next(c for c in path.split(b"/") if SUBJECT in c)
    if any(c in component for c in b"*?["):
        raise _refusal(where, "'path' has a glob in the component with {subject}")
    return PathRule(target, path)


def _table_rule(where: str, values: list[str]) -> TableRule:
    return TableRule(_path(where, values[0]), _path(where, values[1]), values[2], values[3])


def _sidecar_rule(where: str, values: list[str]) -> SidecarRule:
    sidecar = _path(where, values[1])
    _check_template(where, "sidecar", sidecar, (PATH, STEM))
    if sidecar in (PATH, STEM):
        raise _refusal(where, "'sidecar' would be the file itself")
    return SidecarRule(_path(where, values[0]), sidecar, values[2])


def _rows_rule(where: str, values: list[str]) -> RowsRule:
    return RowsRule(_path(where, values[0]), _path(where, values[1]), values[2])


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[str, list[str]], Rule]]] = {
    "path": (("path",), _path_rule),
    "table": (("table", "path_column", "subject_column"), _table_rule),
    "sidecar": (("sidecar", "field"), _sidecar_rule),
    "rows": (("rows", "key"), _rows_rule),
}
"""The key that tells a rule's kind -> the keys that it must have beside `target`, in order."""


def _path(where: str, text: str) -> bytes:
    raw = text.encode()
    fault = fault_of_path(raw)
    if fault:
        raise _refusal(where, f"{text!r}: {fault}")
    return raw


def _check_template(where: str, name: str, path: bytes, places: tuple[bytes, ...]) -> None:
    shown = " or ".join(place.decode() for place in places)
    if sum(path.count(place) for place in places) != 1:
        raise _refusal(where, f"{name!r} must hold {shown} exactly once")
