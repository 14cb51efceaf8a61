"""Every object of a bucket of the emulator, read past dataver into files."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path


def dumped(endpoint: str, bucket: str, folder: Path) -> Path:
    """Write all that the emulator at *endpoint* lists of *bucket*, in all versions, below *folder*."""
    folder.mkdir()
    with urllib.request.urlopen(f"{endpoint}/storage/v1/b/{bucket}/o?versions=true", timeout=30) as answer:
        items = json.load(answer).get("items", [])
    for number, item in enumerate(items):
        name = urllib.parse.quote(item["name"], safe="")
        with urllib.request.urlopen(
            f"{endpoint}/storage/v1/b/{bucket}/o/{name}?alt=media", timeout=30
        ) as answer:
            (folder / f"{number}-{name}").write_bytes(answer.read())
    assert items
    return folder
