from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import DataverError, FormatError, SignatureRefusedError, UnsupportedError
from dataver.formats import erasure
from dataver.formats.erasure import Record, decode_signed, deny_id, encode_record, encode_signed, entry_data
from tests.formats import samples

uids = st.binary(min_size=16, max_size=16)
hashes = st.binary(min_size=32, max_size=32)
_ids = st.sets(uids, max_size=3).map(lambda found: tuple(sorted(found)))
_commitments = st.sets(hashes, min_size=1, max_size=3).map(lambda found: tuple(sorted(found)))

denials = st.builds(
    Record,
    kind=st.just("deny"),
    uid=uids,
    deny=_ids,
    redact=st.dictionaries(hashes, _commitments, max_size=2),
    substitute=st.dictionaries(hashes, hashes, min_size=1, max_size=2).filter(
        lambda pairs: all(a != b for a, b in pairs.items())
    ),
    due=st.dates().map(lambda day: day.strftime("%Y-%m-%d")).filter(lambda text: len(text) == 10),
    plan=st.one_of(st.just(b""), hashes),
    info=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
)


@given(denials)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    body = encode_signed(encode_record(record))

    assert decode_signed(body, "deny", "record").record == record


@given(denials, st.data())
def test_a_changed_byte_is_refused_or_another_record(record: Record, data: st.DataObject) -> None:
    good = encode_signed(encode_record(record))
    bad = bytearray(good)
    bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        found = decode_signed(bytes(bad), "deny", "record")
    except DataverError:
        return
    assert found.record != record
    assert encode_signed(found.signed, found.signatures) == bad


@pytest.mark.parametrize(
    "record",
    [
        replace(samples.DENY, deny=(), redact={}, substitute={}),
        replace(samples.DENY, deny=(b"\x01" * 16, bytes(16))),
        replace(samples.DENY, deny=(bytes(16), bytes(16))),
        replace(samples.DENY, deny=(bytes(15),)),
        replace(samples.DENY, redact={bytes(32): ()}),
        replace(samples.DENY, redact={bytes(31): (bytes(32),)}),
        replace(samples.DENY, substitute={bytes(32): bytes(32)}),
        replace(samples.DENY, due="2026-13-01"),
        replace(samples.DENY, plan=b"1"),
        replace(samples.DENY, uid=b"1"),
        replace(samples.DENY, of=b"\x01" * 16),
        replace(samples.RECORDS["lift"], of=b""),
        replace(samples.RECORDS["lift"], deny=(bytes(16),)),
        replace(samples.RECORDS["lift"], of=samples.RECORDS["lift"].uid),
        replace(samples.RECORDS["hold"], deny=()),
        Record(kind="signers", uid=bytes(16), keys=("ssh-ed25519 " + "A" * 20,), approvals=2),
        Record(kind="signers", uid=bytes(16), keys=("not a key",), approvals=1),
        Record(kind="signers", uid=bytes(16), keys=('ssh-ed25519 AAAA" command="x',), approvals=1),
        Record(kind="signers", uid=bytes(16), approvals=1),
    ],
)
def test_a_record_that_makes_no_sense_is_not_written(record: Record) -> None:
    with pytest.raises(FormatError):
        encode_record(record)


@pytest.mark.parametrize("change", [(b'"version":1', b'"version":2'), (b'"kind":"lift"', b'"kind":"pardon"')])
def test_a_later_version_or_kind_asks_for_an_upgrade(change: tuple[bytes, bytes]) -> None:
    body = encode_signed(encode_record(samples.RECORDS["lift"]).replace(*change))

    with pytest.raises(UnsupportedError):
        decode_signed(body, "lift", "record")


def test_an_unknown_field_is_refused() -> None:
    body = encode_signed(encode_record(samples.RECORDS["lift"]).replace(b'"uid"', b'"names":[],"uid"'))

    with pytest.raises(FormatError):
        decode_signed(body, "lift", "record")


def test_a_record_under_another_kind_of_entry_is_refused() -> None:
    body = encode_signed(encode_record(samples.RECORDS["lift"]))

    with pytest.raises(FormatError, match="entry of kind close"):
        decode_signed(body, "close", "record")


def test_an_oversized_record_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(SignatureRefusedError, match="oversized"):
        decode_signed(memoryview(bytes(erasure.MAX_SIZE + 1)), "deny", "record")


def test_a_record_holds_no_name_and_no_content_hash() -> None:
    entry = samples.ENTRIES[0]
    assert entry.oid is not None
    one = deny_id(samples.SECRET.deny_key, erasure.TAG_OID, entry.oid)
    other = deny_id(samples.SECRET.deny_key, erasure.TAG_ENTRY, entry_data(entry.path, entry.oid))

    body = encode_record(replace(samples.DENY, deny=tuple(sorted((one, other)))))

    assert entry.path not in body
    assert entry.oid[1:].hex().encode() not in body


def test_an_erasure_is_shown_by_the_first_digits_of_its_uid() -> None:
    assert samples.DENY.name == "E-1f3a9c2e"
    assert samples.RECORDS["extend"].name == "E-1f3a9c2e"
