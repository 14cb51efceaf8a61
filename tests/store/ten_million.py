"""A remote of ten million objects, generated, and what it takes to work with it.

`python -m tests.store.ten_million generate|read|write FOLDER` prints one JSON document; the packs are files
without content, for nothing here reads one.  docs/scaling.md has the figures.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from dataver.disk.disk import Clock, Disk
from dataver.formats import layout, segment
from dataver.formats.commit import Commit, encode_commit
from dataver.formats.journal import COMMIT
from dataver.formats.segment import PackRef, SegmentRef
from dataver.hashing import derive
from dataver.model.names import BLOB, ObjectName, StructureId
from dataver.store.folder import FolderBucket
from dataver.store.journal import Draft
from dataver.store.remote import Remote, Surroundings

ROWS = int(os.environ.get("DATAVER_TEST_ROWS", "10000000"))
_SEGMENTS = 12
_PACK_SIZE = 32 << 20
_FILE_SIZE = 4096
_PER_PACK = _PACK_SIZE // _FILE_SIZE - 1
_BLAKE3 = 1
_ROW = np.dtype(
    [("kind", "u1"), ("alg", "u1"), ("id", ">u8", 4), ("codec", "u1"), ("flags", "u1"), ("offset", "<u8"),
     ("stored", "<u8"), ("raw", "<u8"), ("ordinal", "<u4")]
)  # fmt: skip
_CHECKPOINTS = 64


def _bucket(folder: Path) -> FolderBucket:
    return FolderBucket(f"{folder}/remote", Disk())


def _remote(folder: Path, clone: str) -> Remote:
    return Remote.open(_bucket(folder), around=Surroundings(Disk(), Clock(), f"{folder}/{clone}"))


def generate(folder: Path) -> dict[str, object]:
    """Write segments of `ROWS` rows in all, and the journal entries that make them live."""
    remote = Remote.create(_bucket(folder))
    remote.refresh()
    random = np.random.default_rng(1)
    for number in range(_SEGMENTS):
        count = ROWS // _SEGMENTS + (number < ROWS % _SEGMENTS)
        packs = sorted(
            PackRef(StructureId(derive("test pack", f"{number}/{n}".encode())), _PACK_SIZE)
            for n in range(-(-count // _PER_PACK))
        )
        for pack in packs:
            path = folder / "remote" / layout.pack_key(pack.pack_id)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.truncate(_PACK_SIZE)
        ref = _write_segment(remote, packs, _rows(random, count, len(packs)))
        _append(remote, Commit(segments_added=(ref,), packs_added=tuple(packs)))
    return {"rows": ROWS, "segments": _SEGMENTS}


def _rows(random: np.random.Generator, count: int, packs: int) -> bytes:
    rows = np.zeros(count, _ROW)
    digests = random.integers(0, 1 << 64, (count, 4), dtype=np.uint64)
    rows["id"] = digests[np.lexsort(digests.T[::-1])]
    rows["kind"], rows["alg"] = BLOB, _BLAKE3
    places = random.permutation(count)
    rows["ordinal"] = places % packs
    rows["offset"] = 8 + (places // packs) * _FILE_SIZE
    rows["stored"] = rows["raw"] = _FILE_SIZE
    return rows.tobytes()


def _write_segment(remote: Remote, packs: list[PackRef], rows: bytes) -> SegmentRef:
    one = rows[: segment.ROW_SIZE]
    head = segment.encode_segment(os.urandom(segment.NONCE_SIZE), packs, [one])
    start = segment.rows_start(head)
    count = len(rows) // segment.ROW_SIZE
    # The head of one row, with the number of all: the format has it as the run's eight bytes.
    run_at = 8 + 16 + 4 + 2 + 2
    data = head[:run_at] + count.to_bytes(8, "little") + head[run_at + 8 : start] + rows
    ref = SegmentRef(segment.segment_id(data), len(packs), count)
    segment.decode_head(data[:start], ref)
    remote.bucket.put(layout.segment_key(ref.segment_id), data)
    return ref


def _append(remote: Remote, commit: Commit) -> None:
    draft = Draft(COMMIT, "generator", os.urandom(16).hex(), "r" * 32, encode_commit(commit))
    remote._journal.append(draft, time_s=int(time.time()), overtaken=lambda _: draft)


def _names(remote: Remote, count: int) -> list[ObjectName]:
    """Return names from all over every live segment, read past every measure."""
    found: list[ObjectName] = []
    share = count // len(remote.live_segments())
    for ref in remote.live_segments():
        data = remote.bucket.get(layout.segment_key(ref.segment_id))
        start = len(data) - ref.rows * segment.ROW_SIZE
        step = max(ref.rows // share, 1) * segment.ROW_SIZE
        found += [ObjectName(data[at : at + 34]) for at in range(start, len(data), step)][:share]
    return found


def read(folder: Path) -> dict[str, object]:
    """Open the remote as a fresh clone does, find a few objects, then a hundred thousand."""
    names = _names_apart(folder)
    found: dict[str, object] = {}
    remote = _remote(folder, "clone")
    for what, wanted in (("few", names[:3]), ("many", names)):
        requests, received = remote.bucket.requests, remote.bucket.received
        started, cpu = time.monotonic(), time.process_time()
        remote.refresh()
        places = remote.find(wanted)
        assert len(places) == len(wanted)
        found[what] = {
            "names": len(wanted),
            "requests": remote.bucket.requests - requests,
            "received": remote.bucket.received - received,
            "wall_s": time.monotonic() - started,
            "cpu_s": time.process_time() - cpu,
            "memory": _memory(),
        }
    return found


def _names_apart(folder: Path) -> list[ObjectName]:
    """Return the names from a process of their own, whose memory counts for nobody."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        remote = _remote(folder, "names")
        remote.refresh()
        with os.fdopen(writer, "wb") as out:
            out.write(b"".join(_names(remote, 100_000)))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        data = source.read()
    os.waitpid(child, 0)
    return [ObjectName(data[at : at + 34]) for at in range(0, len(data), 34)]


def write(folder: Path) -> dict[str, object]:
    """Push nothing but names of roots until a checkpoint is written, as a clone that knows the remote."""
    remote = _remote(folder, "clone")
    remote.refresh()
    started, cpu, requests = time.monotonic(), time.process_time(), remote.bucket.requests
    last = 0
    for number in range(_CHECKPOINTS):
        with remote.begin("writer", "r" * 32) as push:
            last = push.commit([derive("test root", str(number).encode())])
    return {
        "entries": _CHECKPOINTS,
        "seq": last,
        "states": sum(1 for _ in remote.bucket.list("states/")),
        "requests": remote.bucket.requests - requests,
        "wall_s": time.monotonic() - started,
        "cpu_s": time.process_time() - cpu,
        "memory": _memory(),
    }


def _memory() -> dict[str, int]:
    """Return peak resident bytes, and those that are no mapped file: what the system cannot take back."""
    status = Path("/proc/self/status").read_text()
    anonymous = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return {
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "anonymous": int(anonymous.split()[1]) * 1024,
    }


if __name__ == "__main__":
    step = {"generate": generate, "read": read, "write": write}[sys.argv[1]]
    sys.stdout.write(json.dumps(step(Path(sys.argv[2])), indent=1) + "\n")
