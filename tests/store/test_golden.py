"""Bytes that every later release must read, and write the same; they are never edited."""

from __future__ import annotations

from pathlib import Path

from dataver.formats import journal, keys, layout, segment, state
from dataver.formats.commit import decode_commit
from dataver.formats.keys import Secret
from dataver.formats.layout import Description
from dataver.formats.state import Seen
from tests.store import samples

GOLDEN = Path(__file__).parent / "golden" / "v1"


def written() -> dict[str, bytes]:
    """Return what this release writes for each sample."""
    return {
        "segment": samples.segment()[0],
        "commit-entry.json": journal.encode_entry(samples.entry()),
        "erasure-entry.json": journal.encode_entry(samples.erasure_entry()),
        "state.json": state.encode_state(samples.state()),
        "dataver.toml": layout.encode_description(Description(samples.REMOTE_ID, False)),
        "dataver-one-writer.toml": layout.encode_description(Description(samples.REMOTE_ID, True)),
        "secret": keys.encode_secret(Secret(bytes(range(32)))),
        "seen.toml": state.encode_seen(samples.REMOTE_ID, Seen(128, samples.id_of(128))),
    }


def test_every_format_is_written_as_the_golden_files_have_it() -> None:
    expected = {path.name: path.read_bytes() for path in GOLDEN.iterdir()}

    assert written() == expected


def test_the_golden_segment_is_read() -> None:
    data = (GOLDEN / "segment").read_bytes()
    ref = samples.segment()[1]

    head, rows = segment.decode_segment(data, ref)

    segment.check_rows(head, rows)
    assert [head.place(rows[at : at + 64]).offset for at in range(0, 6 * 64, 64)] == [8, 8, 108, 158, 58, 118]


def test_the_golden_entries_are_read() -> None:
    commit_data = (GOLDEN / "commit-entry.json").read_bytes()
    erasure_data = (GOLDEN / "erasure-entry.json").read_bytes()

    found = (journal.decode_entry(commit_data, 128), journal.decode_entry(erasure_data, 1))

    assert found == (samples.entry(), samples.erasure_entry())
    assert decode_commit(found[0].body) == samples.commit()


def test_the_golden_state_is_read() -> None:
    data = (GOLDEN / "state.json").read_bytes()

    assert state.decode_state(data, state.state_hash(data)) == samples.state()


def test_the_golden_texts_are_read() -> None:
    assert layout.decode_description((GOLDEN / "dataver.toml").read_bytes()) == (samples.REMOTE_ID, False)
    secret = keys.decode_secret((GOLDEN / "secret").read_bytes(), layout.SECRET_KEY)
    assert secret == Secret(bytes(range(32)))
    seen = state.decode_seen((GOLDEN / "seen.toml").read_bytes(), samples.REMOTE_ID)
    assert seen == (128, samples.id_of(128))


def test_the_hashes_that_chain_a_remote_stay_what_they_are() -> None:
    found = {
        "start": journal.first_prev(samples.REMOTE_ID),
        "entry": journal.entry_hash(b"x"),
        "body": journal.body_hash(b"x"),
        "record": journal.record_hash(samples.erasure_entry()),
        "state": state.state_hash(b"x"),
        "segment": segment.segment_id(b"x"),
    }

    assert {name: value.hex()[:16] for name, value in found.items()} == HASHES


HASHES = {
    "start": "19a18175595d8637",
    "entry": "d846f91bae833121",
    "body": "df4eadb7e2537662",
    "record": "e9d6127663d0efcb",
    "state": "5cbeefde81d7ed2a",
    "segment": "183beafd9ab92b15",
}
