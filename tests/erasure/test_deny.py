from __future__ import annotations

import time

import pytest

from dataver.erasure.deny import denied_entry, denier, is_denied, is_held, question_before
from dataver.erasure.records import NO_ERASURES, ErasureState
from dataver.formats.erasure import TAG_ENTRY, TAG_OID, deny_id, entry_data
from dataver.formats.keys import Secret
from dataver.hashing import BLAKE3, MD5, XXH128
from tests.formats.samples import SECRET, oid

UID = bytes.fromhex("1f3a9c2e" + "00" * 12)
GONE, OTHER, UNLINKED = oid(b"gone"), oid(b"other"), oid(b"unlinked")
STATE = ErasureState(
    denied={
        deny_id(SECRET.deny_key, TAG_OID, GONE): UID,
        deny_id(SECRET.deny_key, TAG_ENTRY, entry_data(b"users/a", UNLINKED)): UID,
        deny_id(SECRET.deny_key, TAG_OID, oid(b"")): UID,
    },
    held={deny_id(SECRET.deny_key, TAG_OID, OTHER): UID},
)


def test_denied_content_is_recognised() -> None:
    assert is_denied(STATE, SECRET, GONE)
    assert denier(STATE, SECRET)(GONE) == "E-1f3a9c2e"


def test_other_content_is_not_denied() -> None:
    assert not is_denied(STATE, SECRET, OTHER)


def test_without_the_repositorys_secret_nothing_is_recognised() -> None:
    assert not is_denied(STATE, Secret(bytes(32)), GONE)


def test_the_same_bytes_under_another_algorithm_are_another_content() -> None:
    assert not is_denied(STATE, SECRET, oid(b"gone", XXH128))


@pytest.mark.parametrize("algorithm", [BLAKE3, XXH128, MD5])
def test_an_empty_file_is_never_denied(algorithm: int) -> None:
    empty = oid(b"", algorithm)
    state = ErasureState(denied={deny_id(SECRET.deny_key, TAG_OID, empty): UID})

    assert not is_denied(state, SECRET, empty)


def test_an_unlinked_entry_is_denied_at_its_path_alone() -> None:
    assert denied_entry(STATE, SECRET, b"users/a", UNLINKED) == "E-1f3a9c2e"
    assert denied_entry(STATE, SECRET, b"users/b", UNLINKED) == ""
    assert not is_denied(STATE, SECRET, UNLINKED)


def test_content_that_is_denied_is_denied_at_every_path() -> None:
    assert denied_entry(STATE, SECRET, b"anywhere", GONE) == "E-1f3a9c2e"


def test_held_content_is_not_denied() -> None:
    assert is_held(STATE, SECRET, OTHER)
    assert not is_held(STATE, SECRET, GONE)


def test_without_records_nothing_is_denied() -> None:
    assert not is_denied(NO_ERASURES, SECRET, GONE)
    assert denied_entry(NO_ERASURES, SECRET, b"a", GONE) == ""


def test_a_hundred_thousand_files_are_checked_in_moments() -> None:
    check = denier(STATE, SECRET)

    began = time.process_time()
    for _ in range(100_000):
        check(OTHER)

    assert time.process_time() - began < 2


@pytest.mark.parametrize(("removes", "holds"), [(0, 0), (16, 16), (100, 1000), (17, 170)])
def test_what_is_little_is_removed_without_a_question(removes: int, holds: int) -> None:
    assert question_before(removes, holds, 10) is None


@pytest.mark.parametrize(("removes", "holds"), [(17, 169), (101, 1000), (17, 17)])
def test_more_than_the_share_is_asked_first(removes: int, holds: int) -> None:
    question = question_before(removes, holds, 10)

    assert question is not None
    assert f"{removes:,} of the {holds:,}" in question.text


def test_at_no_share_at_all_every_larger_removal_is_asked() -> None:
    assert question_before(17, 1_000_000, 0) is not None
