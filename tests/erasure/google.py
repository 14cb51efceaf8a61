"""Google Cloud Storage's JSON API, as much of it as erasing asks for, by its documentation.

Beside fake-gcs-server, which knows generations but neither deletes an old one nor has soft delete,
holds, retentions or rights.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_TIME = "2026-01-02T03:04:05.678Z"
_PAGE = 2
"""Small, so that every listing has several."""


@dataclass(slots=True)
class Generation:
    """One generation of a name, and how it stands."""

    name: str
    number: int
    data: bytes
    state: str = "live"
    """`live`, `noncurrent` or `soft` (deleted, and can be restored)."""
    facts: dict[str, Any] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        said = {
            "name": self.name,
            "generation": str(self.number),
            "size": str(len(self.data)),
            "updated": _TIME,
        }
        if self.state == "noncurrent":
            said["timeDeleted"] = _TIME
        if self.state == "soft":
            said["softDeleteTime"] = said["hardDeleteTime"] = _TIME
        return {**said, **self.facts}


@dataclass(slots=True)
class Google:
    """One bucket, `bucket`, on a server that runs."""

    endpoint: str
    bucket: dict[str, Any] = field(default_factory=dict)
    """What the bucket says of itself."""
    permissions: tuple[str, ...] | None = None
    """What `testPermissions` answers; None for all that is asked for."""
    generations: list[Generation] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1001))

    @property
    def is_versioned(self) -> bool:
        return bool(self.bucket.get("versioning", {}).get("enabled"))

    def put(self, name: str, data: bytes) -> Generation:
        self.remove(name, None)
        made = Generation(name, next(self.numbers), data)
        self.generations.append(made)
        return made

    def remove(self, name: str, number: int | None) -> bool:
        """Delete a generation, or hide the live one where none is named; return whether there was one."""
        for one in self.generations:
            if one.name == name and one.state != "soft" and (one.number == number or one.state == "live"):
                if number is None or one.number == number:
                    self._drop(one, is_named=number is not None)
                    return True
        return False

    def _drop(self, one: Generation, *, is_named: bool) -> None:
        if self.is_versioned and not is_named:
            one.state = "noncurrent"
        elif "softDeletePolicy" in self.bucket:
            one.state = "soft"
        else:
            self.generations.remove(one)

    # -- answers: status and JSON, or bytes ---------------------------------------------------------

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: bytes) -> tuple[int, Any]:
        parts = path.split("/")
        if parts[1] == "upload":
            return 200, self.put(query["name"][0], body).described()
        bucket, rest = parts[4], parts[5:]
        if bucket != "bucket":
            return 404, {"error": {"code": 404, "message": "no such bucket"}}
        if not rest:
            return 200, {"name": bucket, **self.bucket}
        if rest[0] == "iam":
            asked = query.get("permissions", [])
            given = asked if self.permissions is None else [p for p in asked if p in self.permissions]
            return 200, {"permissions": given} if given else {}
        if len(rest) == 1:
            return 200, self._listed(query)
        number = int(query["generation"][0]) if "generation" in query else None
        return self._of_one(method, unquote(rest[1]), number)

    def _listed(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        states = {"soft"} if "softDeleted" in query else {"live"}
        if "versions" in query:
            states = {"live", "noncurrent"}
        prefix = query.get("prefix", [""])[0]
        found = [g.described() for g in self.generations if g.state in states and g.name.startswith(prefix)]
        found.sort(key=lambda item: (item["name"], item["generation"]))
        start = int(query.get("pageToken", ["0"])[0])
        page: dict[str, Any] = {"items": found[start : start + _PAGE]} if found else {}
        return page if start + _PAGE >= len(found) else {**page, "nextPageToken": str(start + _PAGE)}

    def _of_one(self, method: str, name: str, number: int | None) -> tuple[int, Any]:
        missing = 404, {"error": {"code": 404, "message": "no such object"}}
        found = [
            g
            for g in self.generations
            if g.name == name and g.state != "soft" and (g.number == number if number else g.state == "live")
        ]
        if not found:
            return missing
        if method == "GET":
            return 200, found[0].data
        if found[0].facts.get("temporaryHold"):
            return 403, {"error": {"code": 403, "message": f"Object '{name}' is under active Temporary hold"}}
        self.remove(name, number)
        return 204, b""


@contextlib.contextmanager
def google() -> Iterator[Google]:
    """Yield the bucket on a running server."""
    made = Google("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one piece: two would wait for the other side's acknowledgement.
        wbufsize = 1 << 16

        def _answered(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, said = made.answer(self.command, url.path, parse_qs(url.query), body)
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        # The library chose these names.
        do_GET = do_DELETE = do_POST = _answered  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        made.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield made
        finally:
            server.shutdown()
            thread.join(5.0)
