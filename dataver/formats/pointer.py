"""Pointers: the small text files `NAME.dv` that stand in Git for the data `NAME`.

A pointer is TOML with exactly one valid encoding, so it is parsed by hand, line by line:
tomllib would cost every command its import, and accepts many spellings of one value.  See
docs/format.md, chapter "Pointers".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dataver.errors import FormatError, UnsupportedError, UsageError, show_path

VERSION = 1
SUFFIX = b".dv"
MAX_SIZE = 64 * 1024
"""Of a whole pointer, in bytes, in this and every later version."""
MAX_NOTE_SIZE = 4 * 1024
"""Of the lines below `[note]`, in bytes as they are encoded."""
MAX_FILES = (1 << 63) - 1

_COMMENT = "# dataver pointer: the data is outside Git; `dataver pull` brings it here"
_DIGITS = re.compile(r"0|[1-9][0-9]{0,18}")
_TREE = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"(0|[1-9][0-9]?|[1-9][0-9]0) B|([1-9]\.[0-9]|[1-9][0-9]0?) [kMGTPE]B")
_NOTE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VERSION_LINE = re.compile(rb"^version = ([0-9]{1,9})$", re.MULTILINE)
_CONFLICT = re.compile(rb"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)
_KINDS = {"directory": True, "file": False}
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")

# TOML's short escapes; every other control character is written \u00XX.
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_TO_ESCAPE = re.compile(r'["\\\x00-\x1f\x7f]')
_ESCAPE = re.compile(r"\\(?:([\"\\btnfr])|u(00[0-9A-F]{2}))")
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f\x7f]|\\.)*)"')
_UNESCAPES = {short[1]: char for char, short in _ESCAPES.items()}


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer says."""

    root_id: bytes
    """Of the tree; 32 bytes."""
    is_folder: bool
    files: int
    """For people: nothing decides by it."""
    size_text: str
    """For people, as `size_text` makes it."""
    note: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What people wrote, kept as it is and never trusted."""


def pointer_of(target: bytes) -> bytes:
    """Return the path of the pointer that stands for *target*."""
    return target + SUFFIX


def is_pointer_path(path: bytes) -> bool:
    """Tell whether *path* is named like a pointer."""
    name = path.rpartition(b"/")[2]
    return name.endswith(SUFFIX) and name != SUFFIX


def target_of(pointer: bytes) -> bytes:
    """Return the path that the pointer at *pointer* stands for.

    Raises: UsageError when it is not named like one.
    """
    if not is_pointer_path(pointer):
        raise UsageError(f"{show_path(pointer)} is no pointer: its name does not end in .dv")
    return pointer[: -len(SUFFIX)]


def size_text(size: int) -> str:
    """Return *size* (in bytes) with two significant digits and a decimal unit.

    More digits would tell the exact size of a file that was erased.
    """
    digits = str(size)
    if len(digits) <= 2:
        return f"{digits} B"
    exponent = len(digits) - 2
    mantissa = (size + 10**exponent // 2) // 10**exponent
    if mantissa == 100:
        mantissa, exponent = 10, exponent + 1
    unit, place = divmod(exponent + 1, 3)
    number = (f"{mantissa // 10}.{mantissa % 10}", f"{mantissa}", f"{mantissa}0")[place]
    return f"{number} {_UNITS[unit]}"


def encode_pointer(pointer: Pointer) -> bytes:
    """Return the one valid encoding of *pointer*.

    Raises: FormatError when a field has no encoding, such as a note beyond its limit.
    """
    fault = _fault_of(pointer)
    if fault:
        raise FormatError("pointer", fault)
    lines = [
        _COMMENT,
        f"version = {VERSION}",
        f'tree = "{pointer.root_id.hex()}"',
        f'kind = "{"directory" if pointer.is_folder else "file"}"',
        f"files = {pointer.files}",
        f'size = "{pointer.size_text}"',
    ]
    if pointer.note:
        lines.append("[note]")
        lines += [f"{key} = {_quote(pointer.note[key])}" for key in sorted(pointer.note)]
    return "\n".join([*lines, ""]).encode()


def decode_pointer(data: bytes, where: str) -> Pointer:
    """Return what the pointer in *data* says; *where* names it in errors.

    Raises: FormatError when it is not the one valid encoding, UnsupportedError for a later version.
    """
    if len(data) > MAX_SIZE:
        raise _error(where, f"{len(data)} bytes long, a pointer has at most {MAX_SIZE}")
    if _CONFLICT.search(data):
        raise _error(where, "holds Git's conflict markers instead of a pointer", hint="git status")
    # The version decides before anything else: a later one may look different below it.
    version = _VERSION_LINE.search(data)
    if version and int(version[1]) > VERSION:
        raise UnsupportedError(f"{where}: pointer version", int(version[1]))
    try:
        pointer = _parse(data.decode())
    except UnicodeDecodeError:
        raise _error(where, "not UTF-8") from None
    except ValueError as error:
        raise _error(where, str(error)) from None
    if encode_pointer(pointer) != data:
        raise _error(where, "not the one valid encoding of a pointer")
    return pointer


def _parse(text: str) -> Pointer:
    if "\r" in text:
        raise ValueError("line ends must be LF alone")
    lines = text.split("\n")
    if lines[0] != _COMMENT or lines[-1] != "":
        raise ValueError("no pointer: the first or last line is not a pointer's")
    fields = [_value(lines, n, key) for n, key in enumerate(("version", "tree", "kind", "files", "size"), 1)]
    version, tree, kind, files, size = fields
    if version != str(VERSION) or not _DIGITS.fullmatch(files):
        raise ValueError("version or files is no number")
    tree, kind, size = (_unquote(value) for value in (tree, kind, size))
    if not _TREE.fullmatch(tree):
        raise ValueError("tree is no id of 64 lower-case hex digits")
    if kind not in _KINDS:
        raise ValueError(f"kind {kind!r} is neither directory nor file")
    pointer = Pointer(bytes.fromhex(tree), _KINDS[kind], int(files), size, _note(lines[6:-1]))
    fault = _fault_of(pointer)
    if fault:
        raise ValueError(fault)
    return pointer


def _value(lines: list[str], number: int, key: str) -> str:
    line = lines[number] if number < len(lines) else ""
    if not line.startswith(f"{key} = "):
        raise ValueError(f"line {number + 1} must be `{key} = ...`")
    return line[len(key) + 3 :]


def _note(lines: list[str]) -> Mapping[str, str]:
    if not lines:
        return MappingProxyType({})
    if lines[0] != "[note]":
        raise ValueError(f"unknown key {lines[0].partition(' ')[0]!r} outside [note]")
    note: dict[str, str] = {}
    for line in lines[1:]:
        key, equals, value = line.partition(" = ")
        if not equals or key in note:
            raise ValueError(f"malformed or repeated line in [note]: {line[:40]!r}")
        note[key] = _unquote(value)
    return MappingProxyType(note)


def _fault_of(pointer: Pointer) -> str:
    if len(pointer.root_id) != 32:
        return f"a root id of {len(pointer.root_id)} bytes"
    if not 0 <= pointer.files <= MAX_FILES:
        return f"an impossible number of files: {pointer.files}"
    if not _SIZE.fullmatch(pointer.size_text):
        return f"size {pointer.size_text!r} is not of the form `3.1 GB`"
    size = 0
    for key, value in pointer.note.items():
        if not _NOTE_KEY.fullmatch(key):
            return f"key {key!r} in [note] is not made of letters, digits, - and _"
        if any("\ud800" <= c <= "\udfff" for c in value):
            return f"{key} in [note] is not text"
        size += len(f"{key} = {_quote(value)}\n".encode())
    return f"a note of {size} bytes, at most {MAX_NOTE_SIZE}" if size > MAX_NOTE_SIZE else ""


def _quote(value: str) -> str:
    return '"' + _TO_ESCAPE.sub(lambda m: _ESCAPES.get(m[0]) or f"\\u{ord(m[0]):04X}", value) + '"'


def _unquote(quoted: str) -> str:
    found = _STRING.fullmatch(quoted)
    if not found:
        raise ValueError(f"expected a string in double quotes, found {quoted[:40]!r}")
    if "\\" not in found[1]:
        return found[1]
    rest = _ESCAPE.sub("", found[1])
    if "\\" in rest:
        raise ValueError("an escape that no pointer holds")
    return _ESCAPE.sub(lambda m: _UNESCAPES[m[1]] if m[1] else chr(int(m[2], 16)), found[1])


def _error(where: str, why: str, *, hint: str = "") -> FormatError:
    error = FormatError(where, why)
    # A pointer lies in Git: no fetch brings another one.
    error.hint = hint or f"git log --oneline -- {where.rpartition(':')[2]}"
    return error
