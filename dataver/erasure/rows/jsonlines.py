"""JSON lines: whole lines are cut out; what stays, blank lines too, stays byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from dataver.erasure.rows.kinds import Rewritten
from dataver.erasure.rows.needles import Needles
from dataver.errors import UnreadableTableError

MAX_LINE = 64 * 1024 * 1024
_MARK = b"\xef\xbb\xbf"


def rewrite(source: BinaryIO, target: BinaryIO, key: str, needles: Needles) -> Rewritten:
    """Copy *source* to *target* without the lines whose *key* (dots go into objects) is a value.

    Raises: UnreadableTableError for a line that is no JSON.
    """
    removed = kept = number = 0
    residue: set[str] = set()
    while line := source.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise UnreadableTableError(f"line {number} is longer than {MAX_LINE} bytes")
        if number == 1 and line.startswith(_MARK):
            target.write(_MARK)
            line = line[len(_MARK) :]
        if line.strip():
            document = parsed(line, f"line {number}")
            if not needles.texts.isdisjoint(texts_at(document, key)):
                removed += 1
                continue
            kept += 1
            residue.update(_places(document, needles))
        target.write(line)
    return Rewritten(removed, kept, tuple(sorted(residue)), bool(removed))


def parsed(data: bytes, where: str) -> object:
    """Return a JSON document; of a name that stands twice in an object both values count.

    Raises: UnreadableTableError.
    """
    try:
        found: object = json.loads(data, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise UnreadableTableError(f"{where} is no JSON") from error
    return found


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    whole: dict[str, object] = {}
    for name, value in pairs:
        whole[name] = [whole[name], value] if name in whole else value
    return whole


def texts_at(document: object, key: str) -> Iterator[str]:
    """Yield what stands under *key* as text: of a list each item, of an integer its decimal digits.

    A name may hold dots itself, so `a.b` is looked for as a name and as `b` in `a`.
    """
    if isinstance(document, list):
        for item in document:
            yield from texts_at(item, key)
    if not isinstance(document, dict):
        return
    if key in document:
        yield from _texts(document[key])
    at = key.find(".")
    while at > 0:
        if key[:at] in document:
            yield from texts_at(document[key[:at]], key[at + 1 :])
        at = key.find(".", at + 1)


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case bool():
            yield "true" if value else "false"
        case int():
            yield str(value)
        case float() if value.is_integer():
            yield str(int(value))
        case list():
            for item in value:
                yield from _texts(item)
        case _:
            return


def _places(document: object, needles: Needles, above: str = "") -> Iterator[str]:
    """Yield the dotted names under which a value stands, whole or as a word; of a list, the list's."""
    match document:
        case dict():
            for name, value in document.items():
                inner = f"{above}.{name}" if above else name
                if needles.as_word.search(name.encode("utf-8", "replace")):
                    yield inner
                yield from _places(value, needles, inner)
        case list():
            for value in document:
                yield from _places(value, needles, above)
        case _:
            for text in _texts(document):
                if needles.as_word.search(text.encode("utf-8", "replace")):
                    yield above
