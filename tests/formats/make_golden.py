"""Write the golden files of formats v1 anew: `python -m tests.formats.make_golden`.

Never run by the tests.  A golden file that exists is never edited: delete it by hand first, and
only before the release that freezes it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from dataver.formats.erasure import Record
from dataver.formats.recipe import cut_chunks
from tests.erasure.signing import new_key, signed_by
from tests.formats import samples
from tests.formats.stream import stream

FOLDER = Path(__file__).parent / "golden" / "v1"


def main() -> None:
    """Write every golden file that is not there."""
    files = samples.golden()
    files["cut-points.json"] = json.dumps([length for _, length in cut_chunks(stream(32 << 20))]).encode()
    with tempfile.TemporaryDirectory() as folder:
        keys = sorted((new_key(Path(folder), n) for n in ("one", "two")), key=lambda k: k.public)
        signers = Record(kind="signers", uid=b"\x08" * 16, keys=tuple(k.public for k in keys), approvals=2)
        files["record-signers.json"] = signed_by(signers, *keys)
    for name, data in files.items():
        path = FOLDER / name
        if path.exists():
            sys.stdout.write(f"kept {name}\n")
            continue
        path.write_bytes(data)
        sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
