"""The JSON documents of `--json`: one a run, with a schema, how it ended, and what failed.  Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dataver.cli.render_json import Json, data_of, path_of

if TYPE_CHECKING:
    from dataver import Failure, Result


def document(verb: str, result: Result, status: int) -> bytes:
    """Return the document of a verb's *result* and the exit *status* it leads to."""
    body = _schema(verb, status)
    body["data"] = data_of(result)
    body["failed"] = _failures(result.failed)
    if result.warnings:
        body["warnings"] = _failures(result.warnings)
    return _encode(body)


def plain_document(verb: str, data: Json) -> bytes:
    """Return the document of a command that answers without a result."""
    return _encode({**_schema(verb, 0), "data": data, "failed": []})


def error_document(code: str, message: str, hint: str, status: int) -> bytes:
    """Return the document of a command that did nothing because of an error."""
    error = {"code": code, "message": message, "hint": hint or None}
    return _encode({**_schema("error", status), "error": error})


def _schema(verb: str, status: int) -> Json:
    return {"schema": f"dataver.{verb}/1", "ok": status == 0, "exit": status}


def _encode(body: Json) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _failures(failures: Iterable[Failure]) -> list[Json]:
    return [
        {"path": path_of(f.path), "code": f.code, "message": f.message, "hint": f.hint or None}
        for f in failures
    ]
