"""The index: what was saved comes back, and damage is never believed."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from dataver.index.columns import NO_OID, Folder, dump, load
from dataver.index.state import State

ROOT = bytes(range(32))


def _folder(*names: bytes) -> Folder:
    stats = array("q", [n + 1 for n in range(5 * len(names))]).tobytes()
    oids = b"".join(b"\x01" + bytes((n,)) * 32 for n in range(len(names)))
    return Folder((1, 2, 3, 4), b"\0".join(names), stats, oids)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "columns"
    folders = {b"": _folder(b"a", b"\xff"), b"d": _folder(b"x"), b"d/empty": _folder()}
    path.write_bytes(b"".join(bytes(part) for part in dump(folders, ROOT, {b"a", b"d/x"}, b"stamp")))
    return path


def test_what_was_saved_comes_back(saved: Path) -> None:
    index = load(str(saved))

    assert index is not None
    assert (index.root_id, index.touched, index.stamp) == (ROOT, frozenset({b"a", b"d/x"}), b"stamp")
    assert sorted(index.folders) == [b"", b"d", b"d/empty"]
    assert index.empty_folders() == {b"d/empty"}
    folder = index.get(b"")
    assert folder is not None
    assert (folder.names, folder.stat(1), folder.own) == ([b"a", b"\xff"], (6, 7, 8, 9, 10), (1, 2, 3, 4))
    assert folder.oid(1) == b"\x01" * 33
    assert not index.is_damaged


def test_a_truncated_index_counts_as_none(saved: Path) -> None:
    data = saved.read_bytes()

    for size in range(len(data)):
        saved.write_bytes(data[:size])

        assert load(str(saved)) is None


def test_a_flipped_bit_is_never_believed(saved: Path) -> None:
    data = saved.read_bytes()
    sound = load(str(saved))
    assert sound is not None
    expected = {path: _rows(sound.get(path)) for path in sound.folders}

    for at in range(len(data)):
        saved.write_bytes(data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :])
        index = load(str(saved))
        if index is None:
            continue
        for path in expected:
            folder = index.get(path)
            assert (folder is None and index.is_damaged) or _rows(folder) == expected[path]


def _rows(folder: Folder | None) -> object:
    return folder and (folder.own, folder.joined, bytes(folder.stats), bytes(folder.oids))


def test_a_file_that_is_no_index_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"hello" * 100)

    assert load(str(tmp_path / "empty")) is None
    assert load(str(tmp_path / "text")) is None
    assert load(str(tmp_path / "nowhere")) is None
    assert load(str(tmp_path)) is None


def test_an_unknown_row_has_no_oid() -> None:
    assert Folder((0,) * 4, b"a", bytes(40), NO_OID).oid(0) == NO_OID


def test_state_keeps_and_drops_values(tmp_path: Path) -> None:
    state = State(str(tmp_path / "state"))
    state.put("key", b"\x00\xffvalue")

    first, other = state.get("key"), state.get("other")
    state.put("key", None)

    assert (first, other, state.get("key")) == (b"\x00\xffvalue", None, None)


@pytest.mark.parametrize("damage", [b"", b"rubbish" * 100])
def test_a_damaged_state_counts_as_empty_and_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "state"
    path.write_bytes(damage)
    state = State(str(path))

    before = state.get("key")
    state.put("key", b"value")

    assert before is None
    assert state.get("key") == b"value"


def test_a_state_that_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    state = State(str(tmp_path / "no" / "folder" / "state"))

    state.put("key", b"value")

    assert state.get("key") in (None, b"value")


def test_an_index_that_lists_more_folders_than_it_describes_is_none(tmp_path: Path) -> None:
    folder = Folder((1, 2, 3, 4), b"", b"", b"")
    path = tmp_path / "index"
    path.write_bytes(b"".join(dump({b"": folder, b"x\0y": folder}, bytes(32), [], b"")))

    assert load(str(path)) is None
