"""What is fuzzed: every parser of bytes that come from Git, a remote or a folder that others write.

A target takes any bytes.  It may raise our errors and nothing else, and what it accepts has to
meet the parser's promise: what was decoded encodes to the same bytes, and a path that passes the
validator is harmless by rules that are spelled out here once more.  A fuzzer cannot find a hash,
so where a parser compares one, the target computes it from the input.

Longer than 300 lines because it is one table: a function of a few lines and a row for each parser.
"""

from __future__ import annotations

import io
import struct
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from dataver.disk.holders import holder_of
from dataver.erasure.receipt import decode_receipt, receipt_of
from dataver.erasure.receipt_page import page_of
from dataver.erasure.rows import delimited, jsonlines
from dataver.erasure.rows.needles import Needles
from dataver.erasure.rows.pages import dictionary_values
from dataver.errors import DataverError, show_path
from dataver.formats import codec, journal, layout, pack, segment, state, tree
from dataver.formats.anchors import Anchor, decode_anchors, encode_anchors
from dataver.formats.commit import decode_commit, encode_commit
from dataver.formats.config import parse_config
from dataver.formats.erasure import Record, decode_signed, encode_record, encode_signed
from dataver.formats.keys import decode_secret, encode_secret
from dataver.formats.pointer import decode_pointer, encode_pointer
from dataver.formats.recipe import decode_recipe, encode_recipe
from dataver.formats.root import decode_root
from dataver.formats.segment import SegmentRef
from dataver.formats.subjects import decode_rules
from dataver.hashing import derive
from dataver.index import columns
from dataver.model.config import layer_of
from dataver.model.names import TREE_START, check_border, check_order, check_path, check_paths, fault_of_link
from dataver.model.purging import ErasureReport
from dataver.model.subjects import PathRule, Template
from dataver.workspace import record
from dataver.workspace.sparse import Sparse
from dataver.workspace.users import parse_user
from tests.formats import samples
from tests.store import samples as remote_samples

LARGEST_RAW = 1 << 20
_IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
_STORE_GOLDEN = Path(__file__).parents[1] / "store" / "golden" / "v1"


class Target(NamedTuple):
    """One parser."""

    run: Callable[[bytes], bool]
    """Gives whether the parser took the bytes for what it reads."""
    seeds: Sequence[bytes]
    """What to begin with; the parser accepts the first."""


def _pointer(data: bytes) -> bool:
    try:
        found = decode_pointer(data, "x.dv")
    except DataverError:
        return False
    assert encode_pointer(found) == data
    return True


def _keys(data: bytes) -> bool:
    try:
        found = decode_secret(data, "keys.toml")
    except DataverError:
        return False
    assert encode_secret(found) == data
    return True


def _anchors(data: bytes) -> bool:
    try:
        found = decode_anchors(data)
    except DataverError:
        return False
    assert encode_anchors(found) == data
    return True


def _receipt(data: bytes) -> bool:
    try:
        found = decode_receipt(data, "receipt")
    except DataverError:
        return False
    assert page_of(data)
    assert found.report.erasure is not None
    return True


_ANY_LEAF = bytes(32)


def _leaf(data: bytes) -> bool:
    # The id is compared last: with a constant in its place everything before it is reached.
    with mock.patch.object(tree, "_leaf_id", return_value=_ANY_LEAF):
        try:
            found = tree.decode_leaf(data, _ANY_LEAF)
        except DataverError:
            return False
    assert tree.encode_leaf(found) == data
    for entry in found.view:
        _assert_harmless(entry.path)
    return True


def _root(data: bytes) -> bool:
    size = struct.unpack_from(">I", data, 8)[0] if len(data) >= 12 else 0
    try:
        found = decode_root(data, derive("dataver v1 root", data[12 : 12 + size]))
    except DataverError:
        return False
    assert all(leaf.count > 0 for leaf in found.leaves)
    return True


def _pack(data: bytes) -> bool:
    try:
        table, payload = pack.split(data)
    except DataverError:
        return False
    for row in table.rows():
        assert 0 <= row.offset <= row.offset + row.stored <= len(data)
    assert len(payload) <= len(data)
    return True


def _table(data: bytes) -> bool:
    end = 1 << 40
    try:
        table = pack.decode_table(data, check=None, end=end)
        rows = list(table.rows())
    except DataverError:
        return False
    assert [row.name for row in rows] == sorted({row.name for row in rows})
    assert all(row.offset + row.stored <= end for row in rows)
    assert pack.encode_table(data[:16], rows) == data
    return True


def _segment(data: bytes) -> bool:
    packs, runs = segment._COUNTS.unpack_from(data)[2:4] if len(data) >= segment._COUNTS.size else (0, 0)
    head_size = segment._COUNTS.size + runs * segment._RUN.size + packs * segment._PACK.size
    rows_count = max(len(data) - head_size, 0) // segment.ROW_SIZE
    try:
        head, rows = segment.decode_segment(data, SegmentRef(segment.segment_id(data), packs, rows_count))
        segment.check_rows(head, rows)
        places = [head.place(rows[at : at + 64]) for at in range(0, len(rows), 64)]
    except DataverError:
        return False
    sizes = {ref.pack_id: ref.size for ref in head.packs}
    assert all(p.offset + p.stored <= sizes[p.pack_id] for p in places)
    assert len(list(segment.names_of(rows))) == rows_count
    return True


def _entry(data: bytes) -> bool:
    is_accepted = False
    for seq in (1, 128):
        try:
            found = journal.decode_entry(data, seq)
        except DataverError:
            continue
        assert journal.encode_entry(found) == data
        is_accepted = True
    return is_accepted


def _commit(data: bytes) -> bool:
    try:
        found = decode_commit(data)
    except DataverError:
        return False
    assert encode_commit(found) == data
    return True


def _state(data: bytes) -> bool:
    try:
        found = state.decode_state(data, state.state_hash(data))
    except DataverError:
        return False
    assert state.encode_state(found) == data
    return True


def _seen(data: bytes) -> bool:
    try:
        found = state.decode_seen(data, remote_samples.REMOTE_ID)
    except DataverError:
        return False
    assert state.encode_seen(remote_samples.REMOTE_ID, found) == data
    return True


def _recipe(data: bytes) -> bool:
    try:
        found = decode_recipe(data)
    except DataverError:
        return False
    assert encode_recipe(found) == data
    assert sum(length for _, length in found.chunks) == found.size
    return True


_KINDS = ("deny", "extend", "hold", "release", "lift", "close", "signers")


def _record_of_erasure(data: bytes) -> bool:
    kind = _KINDS[data[0] % len(_KINDS)] if data else "deny"
    body = data[1:]
    try:
        found = decode_signed(body, kind, "record")
    except DataverError:
        return False
    assert encode_signed(found.signed, found.signatures) == body
    return True


def _stored(data: bytes) -> bool:
    if len(data) < 4:
        return False
    raw_size = int.from_bytes(data[1:4], "big") % (LARGEST_RAW + 1)
    try:
        found = codec.decode(data[0] % 4, data[4:], raw_size)
    except DataverError:
        return False
    assert len(found) == raw_size
    return True


def _config(data: bytes) -> bool:
    try:
        layer_of("committed", "config.toml", parse_config(data, "config.toml"))
    except DataverError:
        return False
    return True


def _subjects(data: bytes) -> bool:
    try:
        rules = decode_rules(data)
    except DataverError:
        return False
    for rule in rules.all:
        assert b".." not in rule.target.split(b"/")
        rules.within(rule.target).covers(b"users/u1/a.csv")
        if isinstance(rule, PathRule):
            Template(rule.path).subject_of(b"users/u1/a.csv", {b"u1"})
    return True


_NEEDLES = Needles(["u1", "1041"])


def _rows(data: bytes) -> bool:
    def csv(given: bytes) -> tuple[bytes, int]:
        out = io.BytesIO()
        done = delimited.rewrite(io.BytesIO(given), out, "id", _NEEDLES, delimiters=(b",", b";"))
        return out.getvalue(), done.rows_removed

    def lines(given: bytes) -> tuple[bytes, int]:
        out = io.BytesIO()
        done = jsonlines.rewrite(io.BytesIO(given), out, "id", _NEEDLES)
        return out.getvalue(), done.rows_removed

    is_accepted = False
    for rewrite in (csv, lines):
        try:
            left, removed = rewrite(data)
        except DataverError:
            continue
        is_accepted = True
        assert len(left) <= len(data)
        assert removed or left == data
        # What stays is read in the same way as before: nothing more goes.
        assert rewrite(left) == (left, 0)
    return is_accepted


def _pages(data: bytes) -> bool:
    kind = ("BYTE_ARRAY", "INT64", "FIXED_LEN_BYTE_ARRAY")[data[0] % 3 if data else 0]
    try:
        found = list(dictionary_values(data[1:], kind, 16, lambda page, size: page))
    except DataverError:
        return False
    return bool(found)


def _layout(data: bytes) -> bool:
    is_accepted = False
    for decode in (layout.decode_description, layout.decode_hint):
        try:
            decode(data)
            is_accepted = True
        except DataverError:
            continue
    key = data.decode("utf-8", "replace")
    pack_id, segment_id = layout.pack_id_of_key(key), layout.segment_id_of_key(key)
    assert pack_id is None or layout.pack_key(pack_id) == key
    assert segment_id is None or layout.segment_key(segment_id) == key
    return is_accepted or pack_id is not None or segment_id is not None


def _index(data: bytes) -> bool:
    # Checksums stand in the way of a fuzzer as hashes do.
    with mock.patch.object(columns, "xxh3_64", return_value=0):
        return _read_index(data)


def _read_index(data: bytes) -> bool:
    with tempfile.NamedTemporaryFile(dir=_IN_MEMORY) as file:
        file.write(data)
        file.flush()
        found = columns.load(file.name)
    if found is None:
        return False
    for path in found.folders:
        folder = found.get(path)
        if folder is not None:
            assert len(folder.names) == folder.count
    return True


def _index_seed() -> bytes:
    folder = columns.Folder((1, 2, 3, 4), b"a\0b", struct.pack("<10q", *range(10)), bytes(66))
    with mock.patch.object(columns, "xxh3_64", return_value=0):
        return b"".join(columns.dump({b"": folder, b"sub": folder}, bytes(32), [b"a"], b"stamp"))


def _local_record(data: bytes) -> bool:
    try:
        record._parse(data.split(b"\n"), b"data")
    except ValueError:  # what `Records.load` takes for a record that is lost
        return False
    return True


def _local_files(data: bytes) -> bool:
    return any([_keys(data), _seen(data), _local_record(data)])


def _neighbour(data: bytes) -> bool:
    with tempfile.NamedTemporaryFile(dir=_IN_MEMORY) as file:
        file.write(data)
        file.flush()
        assert holder_of(file.name).isprintable()
    try:
        user = parse_user(data, "users/c.toml")
    except DataverError:
        return False
    assert not user.is_here
    assert show_path(user.shown).isprintable()
    return True


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


def _path(data: bytes) -> bool:
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
        return True
    half = len(paths) // 2
    border = check_border(TREE_START, paths[:half])
    try:
        check_border(border, paths[half:])
    except DataverError:
        raise AssertionError("a border refuses what is in order") from None
    return bool(good)


def _link(data: bytes) -> bool:
    path, _, target = data.partition(b"\n")
    try:
        check_path(path)
    except DataverError:
        return False
    if fault_of_link(path, target):
        return False
    where = path.split(b"/")[:-1]
    for component in target.split(b"/"):
        if component == b"..":
            assert where, "a link leaves the folder"
            where.pop()
        elif component not in (b"", b"."):
            where.append(component)
    assert not target.startswith(b"/")
    return True


def _sparse(data: bytes) -> bool:
    pattern, _, path = data[:300].partition(b"\n")
    chosen = Sparse([pattern])
    ranges = chosen.ranges()
    if chosen.matches(path) and ranges is not None:
        assert any(low <= path and (high is None or path < high) for low, high in ranges)
    return True


_GOLDEN = samples.golden()
_REMOTE = {path.name: path.read_bytes() for path in _STORE_GOLDEN.iterdir()}
_CONFIG = (
    b'[core]\nversion = 1\nhash = "blake3"\n[cache]\nlink = "reflink"\npack_below = 65536\n'
    b'[remote.origin]\nurl = "s3://bucket/prefix"\nid = "' + b"0" * 32 + b'"\n[transfer]\njobs = 4\n'
)
_SUBJECTS = (
    b'version = 1\n[[rule]]\ntarget = "data"\npath = "users/{subject}/**"\n[[rule]]\ntarget = "s*"\n'
    b'table = "i.csv"\npath_column = "f"\nsubject_column = "p"\n[[rule]]\ntarget = "p"\nfield = "a.b"\n'
    b'sidecar = "{path}.json"\n[[rule]]\ntarget = "e"\nrows = "**/*.parquet"\nkey = "id"\n'
)
_PAGE = b"\0\x15\x04\x15\x12\x15\x12\x4c\x15\x02\x15\0\x12\0\0" + b"\x05\0\0\0alice"
_COMMIT = encode_commit(remote_samples.commit())
_SIGNERS = Record("signers", bytes(16), keys=("ssh-ed25519 " + "A" * 68,), approvals=1)
_RECORD_LINES = b"dataver record 1\ntarget 64617461\nroot " + b"00" * 32 + b"\npattern 61\nmissing 61\nend\n"


def _seeds(*names: str) -> list[bytes]:
    return [_GOLDEN[name] for name in names]


_RECEIPT = receipt_of(ErasureReport("E-07070707", "closed", "2026-01-01", "", is_overdue=False, ticket=""))

TARGETS: dict[str, Target] = {
    "pointer": Target(_pointer, _seeds("pointer-note.dv", "pointer-file.dv", "pointer-folder.dv")),
    "leaf": Target(_leaf, _seeds("leaf-intact", "leaf-redacted", "leaf-replaced", "leaf-extended")),
    "root": Target(_root, _seeds("root", "root-blank-guide")),
    "pack": Target(_pack, _seeds("pack")),
    "table": Target(_table, [bytes(pack.split(_GOLDEN["pack"])[0].data)]),
    "stored": Target(_stored, [b"\x01\0\x13\x88" + codec.Compressor().encode(b"text " * 1000)[1]]),
    "recipe": Target(_recipe, _seeds("recipe", "recipe-xxh128")),
    "segment": Target(_segment, [_REMOTE["segment"]]),
    "journal": Target(_entry, [_REMOTE["commit-entry.json"], _REMOTE["erasure-entry.json"]]),
    "commit": Target(_commit, [_COMMIT]),
    "state": Target(_state, [_REMOTE["state.json"]]),
    "erasure": Target(
        _record_of_erasure,
        [
            *(bytes((n,)) + _GOLDEN[f"record-{kind}.json"] for n, kind in enumerate(_KINDS[:-1])),
            bytes((len(_KINDS) - 1,)) + encode_signed(encode_record(_SIGNERS)),
        ],
    ),
    "layout": Target(
        _layout, [_REMOTE["dataver.toml"], b"7\n", layout.pack_key(bytes(32)).encode(), b"segments/00"]
    ),
    "local": Target(_local_files, [_REMOTE["secret"], _REMOTE["seen.toml"], _RECORD_LINES]),
    "neighbour": Target(
        _neighbour,
        [
            b'version = 1\nhost = "h"\nroot = "/r"\ngit = "/r/.git"\ncache = "/c"\n',
            b"process 4711 on host: dataver add data\n",
        ],
    ),
    "config": Target(_config, [_CONFIG]),
    "anchors": Target(_anchors, [encode_anchors({"ab" * 16: Anchor(7, b"\x07" * 32)})]),
    "receipt": Target(_receipt, [_RECEIPT]),
    "subjects": Target(_subjects, [_SUBJECTS]),
    "rows": Target(
        _rows,
        [b'id,x\nu1,"a\n"\n"u2",""""\n', b'{"id":"u1"}\n\n{"id":[1041]}\n{"id":2}\n', b"x;id\r\n1;u1\r\n"],
    ),
    "pages": Target(_pages, [_PAGE]),
    "index": Target(_index, [_index_seed()]),
    "path": Target(_path, [b"a/b\na-b\na", b".GIT\ngit~1", "a‌/.g‌it".encode(), b"C:x\nx:y\n.git::$x"]),
    "link": Target(_link, [b"a/b/c\n../../x", b"a\n..", b"a/b\n./../c"]),
    "sparse": Target(_sparse, [b"a/**/b*[a-c]?\na/x/bbb", b"***a***b\n" + b"a" * 40]),
}
