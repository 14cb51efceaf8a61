"""What Git's textconv calls: a pointer's summary, where only one side of a diff can be had.

Apart from the other drivers, which open trees: Git starts this once for each pointer.
"""

from __future__ import annotations

from dataver.errors import DataverError
from dataver.formats.pointer import decode_pointer


def summary_text(data: bytes) -> str:
    """Return what `git diff` compares of one side where only that side can be had (textconv)."""
    try:
        pointer = decode_pointer(data, "pointer")
    except DataverError as error:
        return f"{error.message}\n"
    kind = "folder" if pointer.is_folder else "file"
    lines = [f"{kind}: {pointer.files} files, {pointer.size_text}", f"tree: {pointer.root_id.hex()[:16]}"]
    lines += [f"{key}: {value}" for key, value in sorted(pointer.note.items())]
    return "\n".join(lines) + "\n"
