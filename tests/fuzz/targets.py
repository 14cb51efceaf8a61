"""What is fuzzed: every parser of bytes that come from Git, a remote or a folder that others write.

A target takes any bytes.  It may raise our errors and nothing else, and what it accepts has to
meet the parser's promise: what was decoded encodes to the same bytes, and a path that passes the
validator is harmless by rules that are spelled out here once more.  A fuzzer cannot find a hash,
so where a parser compares one, the target computes it from the input.
"""

from __future__ import annotations

import struct
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from dataver.errors import DataverError
from dataver.formats import codec, journal, layout, pack, segment, state, tree
from dataver.formats.commit import decode_commit, encode_commit
from dataver.formats.config import parse_config
from dataver.formats.erasure import decode_signed, encode_signed
from dataver.formats.keys import decode_secret, encode_secret
from dataver.formats.pointer import decode_pointer, encode_pointer
from dataver.formats.recipe import decode_recipe, encode_recipe
from dataver.formats.root import decode_root
from dataver.formats.segment import SegmentRef
from dataver.hashing import derive
from dataver.index import columns
from dataver.model.config import layer_of
from dataver.model.names import TREE_START, check_border, check_order, check_path, check_paths, fault_of_link
from dataver.workspace import record
from dataver.workspace.sparse import Sparse
from tests.formats import samples
from tests.store import samples as remote_samples

LARGEST_RAW = 1 << 20
_IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
_STORE_GOLDEN = Path(__file__).parents[1] / "store" / "golden" / "v1"


class Target(NamedTuple):
    """One parser."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]


def _pointer(data: bytes) -> None:
    try:
        found = decode_pointer(data, "x.dv")
    except DataverError:
        return
    assert encode_pointer(found) == data


def _keys(data: bytes) -> None:
    try:
        found = decode_secret(data, "keys.toml")
    except DataverError:
        return
    assert encode_secret(found) == data


_ANY_LEAF = bytes(32)


def _leaf(data: bytes) -> None:
    # The id is compared last: with a constant in its place everything before it is reached.
    with mock.patch.object(tree, "_leaf_id", return_value=_ANY_LEAF):
        try:
            found = tree.decode_leaf(data, _ANY_LEAF)
        except DataverError:
            return
    assert tree.encode_leaf(found) == data
    for entry in found.view:
        _assert_harmless(entry.path)


def _root(data: bytes) -> None:
    size = struct.unpack_from(">I", data, 8)[0] if len(data) >= 12 else 0
    try:
        found = decode_root(data, derive("dataver v1 root", data[12 : 12 + size]))
    except DataverError:
        return
    assert all(leaf.count > 0 for leaf in found.leaves)


def _pack(data: bytes) -> None:
    try:
        table, payload = pack.split(data)
    except DataverError:
        return
    for row in table.rows():
        assert 0 <= row.offset <= row.offset + row.stored <= len(data)
    assert len(payload) <= len(data)


def _table(data: bytes) -> None:
    end = 1 << 40
    try:
        table = pack.decode_table(data, check=None, end=end)
        rows = list(table.rows())
    except DataverError:
        return
    assert [row.name for row in rows] == sorted({row.name for row in rows})
    assert all(row.offset + row.stored <= end for row in rows)
    assert pack.encode_table(data[:16], rows) == data


def _segment(data: bytes) -> None:
    packs, runs = segment._COUNTS.unpack_from(data)[2:4] if len(data) >= segment._COUNTS.size else (0, 0)
    head_size = segment._COUNTS.size + runs * segment._RUN.size + packs * segment._PACK.size
    rows_count = max(len(data) - head_size, 0) // segment.ROW_SIZE
    try:
        head, rows = segment.decode_segment(data, SegmentRef(segment.segment_id(data), packs, rows_count))
        segment.check_rows(head, rows)
        places = [head.place(rows[at : at + 64]) for at in range(0, len(rows), 64)]
    except DataverError:
        return
    sizes = {ref.pack_id: ref.size for ref in head.packs}
    assert all(p.offset + p.stored <= sizes[p.pack_id] for p in places)
    assert len(list(segment.names_of(rows))) == rows_count


def _entry(data: bytes) -> None:
    for seq in (1, 128):
        try:
            found = journal.decode_entry(data, seq)
        except DataverError:
            continue
        assert journal.encode_entry(found) == data


def _commit(data: bytes) -> None:
    try:
        found = decode_commit(data)
    except DataverError:
        return
    assert encode_commit(found) == data


def _state(data: bytes) -> None:
    try:
        found = state.decode_state(data, state.state_hash(data))
    except DataverError:
        return
    assert state.encode_state(found) == data


def _seen(data: bytes) -> None:
    try:
        found = state.decode_seen(data, remote_samples.REMOTE_ID)
    except DataverError:
        return
    assert state.encode_seen(remote_samples.REMOTE_ID, found) == data


def _recipe(data: bytes) -> None:
    try:
        found = decode_recipe(data)
    except DataverError:
        return
    assert encode_recipe(found) == data
    assert sum(length for _, length in found.chunks) == found.size


_KINDS = ("deny", "extend", "hold", "release", "lift", "close", "signers")


def _record_of_erasure(data: bytes) -> None:
    kind = _KINDS[data[0] % len(_KINDS)] if data else "deny"
    body = data[1:]
    try:
        found = decode_signed(body, kind, "record")
    except DataverError:
        return
    assert encode_signed(found.signed, found.signatures) == body


def _stored(data: bytes) -> None:
    if len(data) < 4:
        return
    raw_size = int.from_bytes(data[1:4], "big") % (LARGEST_RAW + 1)
    try:
        found = codec.decode(data[0] % 4, data[4:], raw_size)
    except DataverError:
        return
    assert len(found) == raw_size


def _config(data: bytes) -> None:
    try:
        layer_of("committed", "config.toml", parse_config(data, "config.toml"))
    except DataverError:
        return


def _layout(data: bytes) -> None:
    for decode in (layout.decode_description, layout.decode_hint):
        try:
            decode(data)
        except DataverError:
            continue
    key = data.decode("utf-8", "replace")
    pack_id, segment_id = layout.pack_id_of_key(key), layout.segment_id_of_key(key)
    assert pack_id is None or layout.pack_key(pack_id) == key
    assert segment_id is None or layout.segment_key(segment_id) == key


def _index(data: bytes) -> None:
    # Checksums stand in the way of a fuzzer as hashes do.
    with mock.patch.object(columns, "xxh3_64", return_value=0):
        _read_index(data)


def _read_index(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=_IN_MEMORY) as file:
        file.write(data)
        file.flush()
        found = columns.load(file.name)
    if found is None:
        return
    for path in found.folders:
        folder = found.get(path)
        if folder is not None:
            assert len(folder.names) == folder.count


def _index_seed() -> bytes:
    folder = columns.Folder((1, 2, 3, 4), b"a\0b", struct.pack("<10q", *range(10)), bytes(66))
    with mock.patch.object(columns, "xxh3_64", return_value=0):
        return b"".join(columns.dump({b"": folder, b"sub": folder}, bytes(32), [b"a"], b"stamp"))


def _local_record(data: bytes) -> None:
    try:
        record._parse(data.split(b"\n"), b"data")
    except ValueError:  # what `Records.load` takes for a record that is lost
        return


def _local_files(data: bytes) -> None:
    _keys(data)
    _seen(data)
    _local_record(data)


_RESERVED = (".git", ".dataver", "git~1", "git~2", "datave~1")


def _assert_harmless(path: bytes) -> None:
    assert path[:1] not in (b"", b"/", b"\\")
    assert not (path[:1].isalpha() and path[1:2] == b":")
    for component in path.split(b"/"):
        assert component not in (b"", b".", b"..")
        assert not any(byte < 32 or byte == 127 for byte in component)
        text = component.decode("utf-8", "surrogateescape")
        visible = "".join(c for c in text if unicodedata.category(c) != "Cf")
        for form in (text, visible, unicodedata.normalize("NFKC", visible)):
            name = form.split(":")[0].rstrip(" .").casefold()
            if form is text or form is visible:
                assert name not in _RESERVED


def _path(data: bytes) -> None:
    parts = data.split(b"\n")
    good = []
    for part in parts:
        try:
            check_path(part)
        except DataverError:
            continue
        _assert_harmless(part)
        good.append(part)
    try:
        check_paths(parts)
        all_pass = True
    except DataverError:
        all_pass = False
    assert all_pass == (len(good) == len(parts))
    paths = sorted(set(good))
    clash = any(b.startswith(a + b"/") for a in paths for b in paths) if len(paths) < 60 else None
    try:
        check_order(paths)
        assert clash is not True
    except DataverError:
        assert clash is not False
        return
    half = len(paths) // 2
    border = check_border(TREE_START, paths[:half])
    try:
        check_border(border, paths[half:])
    except DataverError:
        raise AssertionError("a border refuses what is in order") from None


def _link(data: bytes) -> None:
    path, _, target = data.partition(b"\n")
    try:
        check_path(path)
    except DataverError:
        return
    if fault_of_link(path, target):
        return
    where = path.split(b"/")[:-1]
    for component in target.split(b"/"):
        if component == b"..":
            assert where, "a link leaves the folder"
            where.pop()
        elif component not in (b"", b"."):
            where.append(component)
    assert not target.startswith(b"/")


def _sparse(data: bytes) -> None:
    pattern, _, path = data[:300].partition(b"\n")
    chosen = Sparse([pattern])
    ranges = chosen.ranges()
    if chosen.matches(path) and ranges is not None:
        assert any(low <= path and (high is None or path < high) for low, high in ranges)


_GOLDEN = samples.golden()
_REMOTE = {path.name: path.read_bytes() for path in _STORE_GOLDEN.iterdir()}
_CONFIG = (
    b'[core]\nversion = 1\nhash = "blake3"\n[cache]\nlink = "reflink,copy"\npack_below = "64 KB"\n'
    b'[remote.origin]\nurl = "s3://bucket/prefix"\nid = "' + b"0" * 32 + b'"\n[transfer]\njobs = 4\n'
)
_COMMIT = encode_commit(remote_samples.commit())
_RECORD_LINES = b"dataver record 1\ntarget 64617461\nroot " + b"00" * 32 + b"\npattern 61\nmissing 61\nend\n"


def _seeds(*names: str) -> list[bytes]:
    return [_GOLDEN[name] for name in names]


TARGETS: dict[str, Target] = {
    "pointer": Target(_pointer, _seeds("pointer-note.dv", "pointer-file.dv", "pointer-folder.dv")),
    "leaf": Target(_leaf, _seeds("leaf-intact", "leaf-redacted", "leaf-replaced", "leaf-extended")),
    "root": Target(_root, _seeds("root", "root-blank-guide")),
    "pack": Target(_pack, _seeds("pack")),
    "table": Target(_table, [bytes(pack.split(_GOLDEN["pack"])[0].data)]),
    "stored": Target(_stored, [b"\x01\0\0\x05" + codec.Compressor().encode(b"text " * 1000)[1]]),
    "recipe": Target(_recipe, _seeds("recipe", "recipe-xxh128")),
    "segment": Target(_segment, [_REMOTE["segment"]]),
    "journal": Target(_entry, [_REMOTE["commit-entry.json"], _REMOTE["erasure-entry.json"]]),
    "commit": Target(_commit, [_COMMIT]),
    "state": Target(_state, [_REMOTE["state.json"]]),
    "erasure": Target(
        _record_of_erasure,
        [bytes((n,)) + _GOLDEN.get(f"record-{kind}.json", b"{}") for n, kind in enumerate(_KINDS)],
    ),
    "layout": Target(
        _layout, [_REMOTE["dataver.toml"], b"7\n", layout.pack_key(bytes(32)).encode(), b"segments/00"]
    ),
    "local": Target(_local_files, [_REMOTE["secret"], _REMOTE["seen.toml"], _RECORD_LINES]),
    "config": Target(_config, [_CONFIG]),
    "index": Target(_index, [_index_seed()]),
    "path": Target(_path, [b"a/b\na-b\na", b".GIT\ngit~1", "a‌/.g‌it".encode(), b"C:x\nx:y\n.git::$x"]),
    "link": Target(_link, [b"a/b/c\n../../x", b"a\n..", b"a/b\n./../c"]),
    "sparse": Target(_sparse, [b"a/**/b*[a-c]?\na/x/bbb", b"***a***b\n" + b"a" * 40]),
}
