from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.erasure.records import ErasureState, fold
from dataver.errors import FormatError, SignatureRefusedError, UnsupportedError
from dataver.formats.erasure import Record, Signature, encode_record, encode_signed, signers_hash
from dataver.store import journal
from tests.erasure.signing import SigningKey, new_key, signed_by

DENY = Record(
    kind="deny", uid=b"\x1f" * 16, deny=(b"a" * 16,), redact={bytes(32): (b"c" * 32,)}, due="2026-03-02"
)


class Journal:
    """Records as a journal would number them."""

    def __init__(self) -> None:
        self.records: list[journal.Record] = []

    def add(self, record: Record, *keys: SigningKey) -> Journal:
        """Append a record with the signatures of *keys*."""
        return self.add_body(record.kind, signed_by(record, *keys))

    def add_body(self, kind: str, body: bytes) -> Journal:
        """Append a record as it is."""
        seq = len(self.records) + 1
        self.records.append(journal.Record(seq, kind, 1_700_000_000 + seq, "repo", body))
        return self

    def fold(self, pin: bytes = b"", told: tuple[bytes, ...] = ()) -> ErasureState:
        """Give what the journal demands."""
        return fold(self.records, pin=pin, told=told)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[SigningKey]:
    folder: Path = tmp_path_factory.mktemp("keys")
    return sorted((new_key(folder, name) for name in ("ann", "bob", "eve")), key=lambda key: key.public)


def signers_of(
    keys: list[SigningKey], approvals: int = 1, uid: bytes = b"\x51" * 16, after: bytes = b""
) -> Record:
    """Give the record that makes *keys* signers."""
    return Record(
        kind="signers", uid=uid, keys=tuple(k.public for k in keys), approvals=approvals, after=after
    )


def follow(record: Record) -> bytes:
    """Give the hash by which *record* is followed."""
    return signers_hash(encode_record(record))


# -- what records demand --------------------------------------------------------------------------


def test_without_records_nothing_is_demanded() -> None:
    assert fold([]) == ErasureState()


def test_a_denial_is_obeyed() -> None:
    state = Journal().add(DENY).fold()

    assert state.erased.entries == {b"c" * 32}
    assert state.denied == {b"a" * 16: DENY.uid}
    assert state.name_of(b"c" * 32) == "E-1f1f1f1f"


def test_an_erasure_tells_its_name_time_and_due_date() -> None:
    erasure = Journal().add(DENY).fold().erasures[DENY.uid]

    assert (erasure.name, erasure.time_s, erasure.due) == ("E-1f1f1f1f", 1_700_000_001, "2026-03-02")


def test_an_extension_belongs_to_its_erasure() -> None:
    more = Record(
        kind="extend", uid=b"2" * 16, of=DENY.uid, deny=(b"b" * 16,), redact={bytes(32): (b"d" * 32,)}
    )

    state = Journal().add(DENY).add(more).fold()

    assert state.denied == {b"a" * 16: DENY.uid, b"b" * 16: DENY.uid}
    assert state.erased.entries == {b"c" * 32, b"d" * 32}
    assert state.name_of(b"d" * 32) == "E-1f1f1f1f"


def test_lifted_content_may_come_back_but_what_is_redacted_stays_redacted() -> None:
    state = Journal().add(DENY).add(Record(kind="lift", uid=b"2" * 16, of=DENY.uid)).fold()

    assert state.denied == {}
    assert state.erased.entries == {b"c" * 32}


def test_content_that_two_erasures_deny_stays_denied_when_one_is_lifted() -> None:
    other = replace(DENY, uid=b"3" * 16)

    state = Journal().add(DENY).add(other).add(Record(kind="lift", uid=b"2" * 16, of=DENY.uid)).fold()

    assert state.denied == {b"a" * 16: other.uid}


def test_a_close_is_remembered_and_an_extension_opens_again() -> None:
    journal = Journal().add(DENY).add(Record(kind="close", uid=b"2" * 16, of=DENY.uid))

    closed = journal.fold().erasures[DENY.uid].is_closed
    journal.add(Record(kind="extend", uid=b"3" * 16, of=DENY.uid, deny=(b"b" * 16,)))

    assert closed
    assert not journal.fold().erasures[DENY.uid].is_closed


def test_a_hold_holds_until_it_is_released() -> None:
    hold = Record(kind="hold", uid=b"2" * 16, deny=(b"h" * 16,))
    journal = Journal().add(hold)

    assert journal.fold().held == {b"h" * 16: hold.uid}
    assert journal.add(Record(kind="release", uid=b"3" * 16, of=hold.uid)).fold().held == {}


commitments = st.sets(st.binary(min_size=32, max_size=32), min_size=1, max_size=3).map(sorted).map(tuple)


@given(st.lists(commitments, min_size=1, max_size=4), st.data())
def test_the_erased_set_does_not_depend_on_the_order_of_records(
    found: list[tuple[bytes, ...]], data: st.DataObject
) -> None:
    records = [
        Record(kind="deny", uid=bytes((n,)) * 16, redact={bytes(32): cs}) for n, cs in enumerate(found)
    ]
    journals = [Journal(), Journal()]
    for record in records:
        journals[0].add_body("deny", encode_signed(encode_record(record)))
    for record in data.draw(st.permutations(records)):
        journals[1].add_body("deny", encode_signed(encode_record(record)))

    assert journals[0].fold().erased == journals[1].fold().erased


def test_what_pushes_told_is_believed_where_something_is_denied() -> None:
    assert Journal().add(DENY).fold(told=(b"t" * 32,)).erased.told == {b"t" * 32}
    assert fold([], told=(b"t" * 32,)).erased.told == frozenset()


# -- trust ----------------------------------------------------------------------------------------


def test_a_record_signed_by_a_signer_is_obeyed(keys: list[SigningKey]) -> None:
    state = Journal().add(signers_of(keys[:1]), keys[0]).add(DENY, keys[0]).fold()

    assert state.denied
    assert state.signers is not None
    assert state.signers.keys == {keys[0].public}


def test_rows_are_replaced_by_a_signed_record(keys: list[SigningKey]) -> None:
    record = replace(DENY, substitute={b"o" * 32: b"n" * 32})

    state = Journal().add(signers_of(keys[:1]), keys[0]).add(record, keys[0]).fold()

    assert state.erased.substitutes == {b"o" * 32: b"n" * 32}


def test_the_pinned_signers_are_accepted(keys: list[SigningKey]) -> None:
    signers = signers_of(keys[:1])

    assert Journal().add(signers, keys[0]).fold(pin=follow(signers)).signers


def test_the_next_signers_are_signed_by_the_last(keys: list[SigningKey]) -> None:
    first = signers_of(keys[:1])
    second = signers_of(keys[1:2], uid=b"\x52" * 16, after=follow(first))

    state = Journal().add(first, keys[0]).add(second, keys[0]).add(DENY, keys[1]).fold(pin=follow(first))

    assert state.denied


def test_unsigned_records_that_the_first_signers_adopt_stay_valid(keys: list[SigningKey]) -> None:
    signers = replace(signers_of(keys[:1]), adopts=(DENY.uid,))

    assert Journal().add(DENY).add(signers, keys[0]).fold(pin=follow(signers)).denied


def refused(journal: Journal, why: str, pin: bytes = b"") -> None:
    """Check that the whole journal is refused for the reason *why*."""
    with pytest.raises(SignatureRefusedError, match=why) as caught:
        journal.fold(pin=pin)
    assert caught.value.exit_status == 13


def test_a_replayed_record_is_refused() -> None:
    refused(Journal().add(DENY).add(DENY), "replay")


def test_a_replay_with_other_signatures_is_refused(keys: list[SigningKey]) -> None:
    refused(Journal().add(signers_of(keys), keys[0]).add(DENY, keys[0]).add(DENY, keys[1]), "replay")


def test_an_unsigned_record_is_refused_where_signers_exist(keys: list[SigningKey]) -> None:
    refused(Journal().add(signers_of(keys[:1]), keys[0]).add(DENY), "not signed")


def test_an_unsigned_record_is_refused_where_the_config_pins_signers(keys: list[SigningKey]) -> None:
    refused(Journal().add(DENY), "not signed", pin=follow(signers_of(keys)))


def test_an_unsigned_record_before_the_pinned_signers_is_refused_unless_adopted(
    keys: list[SigningKey],
) -> None:
    signers = signers_of(keys[:1])

    refused(Journal().add(DENY).add(signers, keys[0]), "not signed", pin=follow(signers))


def test_a_record_signed_by_a_stranger_is_refused(keys: list[SigningKey]) -> None:
    refused(Journal().add(signers_of(keys[:1]), keys[0]).add(DENY, keys[2]), "0 good signatures")


def test_fewer_approvals_than_needed_are_refused(keys: list[SigningKey]) -> None:
    journal = Journal().add(signers_of(keys[:2], approvals=2), *keys[:2])

    refused(journal.add(DENY, keys[0]), "1 good signatures of signers, 2 needed")


def test_two_approvals_are_enough_where_two_are_needed(keys: list[SigningKey]) -> None:
    journal = Journal().add(signers_of(keys[:2], approvals=2), *keys[:2])

    assert journal.add(DENY, *keys[:2]).fold().denied


def test_a_signature_of_another_record_is_refused(keys: list[SigningKey]) -> None:
    other = keys[0].sign(encode_record(replace(DENY, uid=b"9" * 16)))
    body = encode_signed(encode_record(DENY), (other,))

    refused(Journal().add(signers_of(keys[:1]), keys[0]).add_body("deny", body), "0 good")


def test_a_signature_under_another_name_is_refused(keys: list[SigningKey]) -> None:
    data = encode_record(DENY)
    body = encode_signed(data, (Signature(keys[0].public, keys[1].sign(data).armored),))

    refused(Journal().add(signers_of(keys[:1]), keys[0]).add_body("deny", body), "0 good")


def test_a_signature_for_another_purpose_is_refused(keys: list[SigningKey]) -> None:
    data = encode_record(DENY)
    body = encode_signed(data, (keys[0].sign(data, namespace="git"),))

    refused(Journal().add(signers_of(keys[:1]), keys[0]).add_body("deny", body), "0 good")


def test_other_first_signers_than_the_config_pins_are_refused(keys: list[SigningKey]) -> None:
    refused(Journal().add(signers_of(keys[2:]), keys[2]), "pins", pin=follow(signers_of(keys[:1])))


def test_first_signers_that_did_not_sign_themselves_are_refused(keys: list[SigningKey]) -> None:
    refused(Journal().add(signers_of(keys[:1]), keys[2]), "0 good")


def test_signers_that_follow_others_than_those_in_force_are_refused(keys: list[SigningKey]) -> None:
    first = signers_of(keys[:1])
    second = signers_of(keys[1:2], uid=b"\x52" * 16, after=follow(first))
    fork = signers_of(keys[2:], uid=b"\x53" * 16, after=follow(first))

    refused(Journal().add(first, keys[0]).add(second, keys[0]).add(fork, keys[0]), "does not follow")


def test_new_signers_that_sign_for_themselves_alone_are_refused(keys: list[SigningKey]) -> None:
    first = signers_of(keys[:1])

    refused(
        Journal().add(first, keys[0]).add(signers_of(keys[2:], uid=b"2" * 16, after=follow(first)), keys[2]),
        "0 good",
    )


def test_rows_replaced_by_an_unsigned_record_are_refused() -> None:
    refused(Journal().add(replace(DENY, substitute={b"o" * 32: b"n" * 32})), "only by a signed record")


@pytest.mark.parametrize("kind", ["extend", "lift", "close", "release"])
def test_a_record_about_nothing_is_refused(kind: str) -> None:
    deny = (b"b" * 16,) if kind == "extend" else ()

    refused(Journal().add(Record(kind=kind, uid=b"2" * 16, of=b"9" * 16, deny=deny)), "names no")


def test_a_hold_is_not_lifted_like_an_erasure() -> None:
    hold = Record(kind="hold", uid=b"2" * 16, deny=(b"h" * 16,))

    refused(Journal().add(hold).add(Record(kind="lift", uid=b"3" * 16, of=hold.uid)), "names no deny")


def test_a_lifted_erasure_takes_no_more_records() -> None:
    journal = Journal().add(DENY).add(Record(kind="lift", uid=b"2" * 16, of=DENY.uid))

    refused(journal.add(Record(kind="close", uid=b"3" * 16, of=DENY.uid)), "was lifted")


def test_an_oversized_record_is_refused() -> None:
    refused(Journal().add_body("deny", bytes((64 << 20) + 1)), "oversized")


def test_a_malformed_record_refuses_the_journal() -> None:
    with pytest.raises(FormatError):
        Journal().add(DENY).add_body("deny", b"{}").fold()


def test_a_record_of_a_later_release_asks_for_an_upgrade() -> None:
    body = encode_signed(encode_record(DENY).replace(b'"version":1', b'"version":9'))

    with pytest.raises(UnsupportedError):
        Journal().add_body("deny", body).fold()


def test_two_records_that_replace_one_entry_differently_are_refused(keys: list[SigningKey]) -> None:
    one, other = (replace(DENY, uid=u * 16, substitute={b"o" * 32: u * 32}) for u in (b"1", b"2"))

    with pytest.raises(FormatError, match="otherwise"):
        Journal().add(signers_of(keys[:1]), keys[0]).add(one, keys[0]).add(other, keys[0]).fold()
