"""`purge audit`: records, signatures and receipts are held against each other, without a network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from dataver.erasure.receipt import receipt_digest, receipt_of
from dataver.formats.anchors import Anchor, encode_anchors
from dataver.formats.erasure import CLOSE, DENY, SIGNERS, Record
from dataver.model.purging import PurgeAuditResult
from dataver.ops.fetch import fetch
from dataver.ops.purge_audit import purge_audit
from dataver.ops.purge_report import bare_report
from dataver.ops.push import push
from dataver.repo import Repo
from dataver.transfer.connect import known_records
from tests.cli.made_purge import remote_report
from tests.erasure.records_at_hand import append
from tests.erasure.signing import SigningKey, new_key, signed_by
from tests.ops.exchange_bench import new_project

UID = b"\x1f" * 16
BEGUN = Record(
    kind=DENY,
    uid=UID,
    deny=(b"d" * 16,),
    redact={bytes(32): (b"c" * 32,), b"\x01" * 32: (b"c" * 32, b"e" * 32)},
    due="2026-03-02",
    info={"ticket": "GDPR-17", "files": "2", "entries": "3", "shared": "none"},
)


class Erased(NamedTuple):
    """A project with one closed erasure, and its receipt."""

    top: Path
    receipt: Path


def audit(top: Path, receipt: str | None = None) -> PurgeAuditResult:
    with Repo.open(str(top)) as repo:
        return purge_audit(repo, receipt)


def close(top: Path, receipt: Path, change: Callable[[bytes], bytes] = lambda data: data) -> None:
    """Close the erasure as its records are now, with a receipt that *change* may alter beforehand."""
    with Repo.open(str(top)) as repo:
        report = replace(
            bare_report(repo, UID),
            state="closed",
            closed="2026-02-21",
            remotes=(remote_report(),),
            local="ABSENT",
        )
    data = change(receipt_of(report))
    receipt.write_bytes(data)
    info = {"receipt": receipt_digest(data).hex()}
    append(top, Record(kind=CLOSE, uid=os.urandom(16), of=UID, info=info))
    with Repo.open(str(top)) as repo:
        fetch(repo)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """Return a project in which an erasure was begun."""
    top = new_project(tmp_path / "churn")
    with Repo.open(str(top)) as repo:
        push(repo)
    append(top, BEGUN)
    with Repo.open(str(top)) as repo:
        fetch(repo)
    return top


@pytest.fixture
def erased(begun: Path, tmp_path: Path) -> Erased:
    receipt = tmp_path / "receipt.json"
    close(begun, receipt)
    return Erased(begun, receipt)


def mirror_of(top: Path) -> Path:
    (path,) = (top / ".git" / "dataver" / "remotes").glob("*.records")
    return path


def alter_mirror(top: Path, change: Callable[[list[list[object]]], object]) -> None:
    """Change the rows of the mirror: what a remote that lies would have brought here."""
    path = mirror_of(top)
    version, rows, told = json.loads(path.read_bytes())
    change(rows)
    path.write_text(json.dumps([version, rows, told]))


def bad(found: PurgeAuditResult) -> list[str]:
    return [finding.what for finding in found.findings if not finding.is_good]


def codes(found: PurgeAuditResult) -> list[str]:
    return [failure.code for failure in found.failed]


# -- records ----------------------------------------------------------------------------------------


def test_sound_records_pass_and_are_counted(erased: Erased) -> None:
    found = audit(erased.top)

    assert (bad(found), found.exit_status, found.records) == ([], 0, 2)
    assert "remote origin: 1 of 1 erasures closed, each after it was begun" in [
        f.what for f in found.findings
    ]


def test_an_audit_asks_no_remote(erased: Erased, tmp_path: Path) -> None:
    (tmp_path / "store").rename(tmp_path / "away")

    assert audit(erased.top, str(erased.receipt)).exit_status == 0


def test_a_replayed_record_fails(erased: Erased) -> None:
    alter_mirror(erased.top, lambda rows: rows.append([99, *rows[0][1:]]))

    found = audit(erased.top)

    assert (codes(found), found.exit_status) == (["signature"], 13)


def test_an_erasure_that_is_closed_before_it_is_begun_fails(erased: Erased) -> None:
    alter_mirror(erased.top, lambda rows: rows.reverse())

    assert audit(erased.top).exit_status == 13


def test_a_receipt_that_the_records_contradict_fails(erased: Erased) -> None:
    def change(rows: list[list[object]]) -> None:
        rows[0][4] = str(rows[0][4]).replace("GDPR-17", "GDPR-18")

    alter_mirror(erased.top, change)
    found = audit(erased.top, str(erased.receipt))

    assert codes(found) == ["receipt"]
    assert "ticket" in found.failed[0].message


def test_a_remote_that_was_never_read_is_told(erased: Erased) -> None:
    mirror_of(erased.top).unlink()
    for seen in (erased.top / ".git" / "dataver" / "remotes").glob("*.toml"):
        seen.unlink()

    found = audit(erased.top)

    assert "no-records" in [warning.code for warning in found.warnings]


# -- signatures -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return new_key(tmp_path_factory.mktemp("keys"), "ann")


def sign_all(rows: list[list[object]], key: SigningKey, records: list[Record]) -> None:
    """Put *records*, signed, in the place of the rows of a mirror."""
    rows[:] = [
        [n, record.kind, 1_800_000_000, "repo", signed_by(record, key).decode()]
        for n, record in enumerate(records, 1)
    ]


def signers(key: SigningKey) -> Record:
    return Record(kind=SIGNERS, uid=b"\x51" * 16, keys=(key.public,), approvals=1)


def test_who_signed_is_told_by_fingerprint(erased: Erased, key: SigningKey) -> None:
    alter_mirror(erased.top, lambda rows: sign_all(rows, key, [signers(key), BEGUN]))

    found = audit(erased.top)

    (said,) = (f.why for f in found.findings if f.what == "remote origin: signed")
    assert bad(found) == []
    assert "SHA256:" in said


def test_a_signature_of_other_words_fails(erased: Erased, key: SigningKey) -> None:
    def change(rows: list[list[object]]) -> None:
        sign_all(rows, key, [signers(key), BEGUN])
        rows[1][4] = str(rows[1][4]).replace("2026-03-02", "2027-03-02")

    alter_mirror(erased.top, change)

    assert (codes(audit(erased.top)), audit(erased.top).exit_status) == (["signature"], 13)


# -- receipts ---------------------------------------------------------------------------------------


def test_a_sound_receipt_passes(erased: Erased) -> None:
    found = audit(erased.top, str(erased.receipt))

    assert (bad(found), found.exit_status) == ([], 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"GDPR-17"', b'"GDPR-18"'),
        (b'"due":"2026-03-02"', b'"due":"2026-03-03"'),
        (b'"ABSENT"', b'"ABSENt"'),
        (b"{", b" {"),
    ],
)
def test_a_receipt_altered_by_one_character_fails(erased: Erased, old: bytes, new: bytes) -> None:
    data = erased.receipt.read_bytes()
    erased.receipt.write_bytes(data.replace(old, new, 1))

    found = audit(erased.top, str(erased.receipt))

    assert (codes(found), found.exit_status) == (["receipt"], 13)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"E-1f1f1f1f", b"E-2f1f1f1f"),
        (b'"files","2"', b'"files","3"'),
        (b'"2026-03-02"', b'"2026-03-03"'),
        (b'"00000000', b'"10000000'),
    ],
    ids=["another erasure", "another count", "another date", "another leaf"],
)
def test_a_receipt_that_was_false_when_it_was_closed_fails(
    begun: Path, tmp_path: Path, old: bytes, new: bytes
) -> None:
    receipt = tmp_path / "receipt.json"
    close(begun, receipt, lambda data: data.replace(old, new, 1))

    found = audit(begun, str(receipt))

    assert codes(found) == ["receipt"]


def test_a_receipt_of_an_erasure_that_nobody_closed_fails(begun: Path, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"
    with Repo.open(str(begun)) as repo:
        receipt.write_bytes(receipt_of(bare_report(repo, UID)))

    assert codes(audit(begun, str(receipt))) == ["receipt"]


def test_the_name_of_an_erasure_stands_for_the_receipt_kept_here(erased: Erased) -> None:
    kept = erased.top / ".git" / "dataver" / "receipts" / "E-1f1f1f1f.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(erased.receipt.read_bytes())

    found = audit(erased.top, "E-1f1f1f1f")

    assert (bad(found), len(found.findings) > 3) == ([], True)


# -- several remotes --------------------------------------------------------------------------------


def test_a_record_that_two_remotes_have_with_different_words_fails(erased: Erased) -> None:
    with Repo.open(str(erased.top)) as repo:
        assert len(known_records(repo.common_folder)) == 1
    other = mirror_of(erased.top).with_name("0" * 32 + ".records")
    other.write_bytes(mirror_of(erased.top).read_bytes().replace(b"GDPR-17", b"GDPR-18"))

    found = audit(erased.top)

    assert (codes(found), found.exit_status) == (["signature"], 13)


def test_an_anchor_in_git_of_another_log_fails(erased: Erased) -> None:
    with Repo.open(str(erased.top)) as repo:
        seen = repo.remote().seen
        remote_id = repo.remote().remote_id
    path = erased.top / ".dataver" / "erasure.toml"
    path.write_bytes(encode_anchors({remote_id: Anchor(seen.seq, bytes(32))}))

    assert audit(erased.top).exit_status == 13


def test_a_clone_that_saw_less_than_git_says_is_told(erased: Erased) -> None:
    with Repo.open(str(erased.top)) as repo:
        seen = repo.remote().seen
        remote_id = repo.remote().remote_id
    path = erased.top / ".dataver" / "erasure.toml"
    path.write_bytes(encode_anchors({remote_id: Anchor(seen.seq + 5, bytes(32))}))

    found = audit(erased.top)

    assert (found.exit_status, [w.code for w in found.warnings]) == (0, ["no-records"])
