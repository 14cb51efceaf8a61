"""`purge audit`: whether records, signatures and a receipt are what they say; without a network."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dataver.disk.safe_open import open_plain
from dataver.erasure.receipt import MAX_SIZE, Receipt, decode_receipt, receipt_digest
from dataver.erasure.records import ErasureState, fold
from dataver.erasure.signatures import fingerprint
from dataver.errors import (
    DataverError,
    Failure,
    FormatError,
    ReceiptRefusedError,
    SignatureRefusedError,
    UnsupportedError,
    local_error,
    show_path,
)
from dataver.formats.erasure import CLOSE, DENY, EXTEND, Record, encode_record, erasure_name
from dataver.model.config import RemoteSettings
from dataver.model.purging import AuditFinding, PurgeAuditResult
from dataver.ops.anchoring import load_anchors
from dataver.ops.purge_naming import uid_of
from dataver.ops.purge_report import receipt_path
from dataver.repo import Repo
from dataver.transfer.connect import Known, known_records, seen_of

_NAME = re.compile(r"E-[0-9a-f]{1,32}")


def purge_audit(repo: Repo, receipt: str | None = None) -> PurgeAuditResult:
    """Check the records that this clone mirrors of every remote, and the *receipt* in a file against them.

    *receipt* may be the name of an erasure too, for the one that is kept here.  What does not hold is in
    `failed`.  Asks no remote: what a remote did since it was last read is not seen.
    Raises: FormatError where the mirror itself is damaged; local errors for the receipt.
    """
    audit = _Audit(repo)
    known = known_records(repo.common_folder)
    states = {one.local_name: state for one in known if (state := audit.records_of(one)) is not None}
    audit.copies(states)
    audit.anchors(any(state.erasures for state in states.values()))
    audit.unread({one.local_name for one in known})
    if receipt is not None:
        audit.receipt(receipt, states.values())
    return PurgeAuditResult(
        sum(len(one.records) for one in known),
        tuple(audit.findings),
        failed=tuple(audit.failed),
        warnings=tuple(audit.warnings),
    )


@dataclass(slots=True)
class _Audit:
    repo: Repo
    findings: list[AuditFinding] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)

    def good(self, what: str, why: str = "") -> None:
        self.findings.append(AuditFinding(what, is_good=True, why=why))

    def bad(self, what: str, error: DataverError) -> None:
        self.findings.append(AuditFinding(what, is_good=False, why=error.message))
        self.failed.append(error.failure())

    def name_of(self, local_name: str) -> str:
        """Return what this clone calls a remote."""
        found = next((one.name for one in self.remotes() if _local_name(one) == local_name), "")
        return f"remote {found}" if found else f"a remote that is not configured any more ({local_name[:8]})"

    def remotes(self) -> Iterator[RemoteSettings]:
        config = self.repo.config
        return filter(None, map(config.remote, config.remote_names))

    def records_of(self, known: Known) -> ErasureState | None:
        """Check one remote's records, signatures included, as every command does that obeys them."""
        what = self.name_of(known.local_name)
        pin = bytes.fromhex(self.repo.config.signers_pin)
        try:
            state = fold(known.records, pin=pin, told=known.told)
        except (SignatureRefusedError, FormatError, UnsupportedError) as error:
            self.bad(f"{what}: records", error)
            return None
        closed = sum(erasure.is_closed for erasure in state.erasures.values())
        self.good(f"{what}: {len(known.records):,} records, each once and in its place")
        self.good(f"{what}: {closed:,} of {len(state.erasures):,} erasures closed, each after it was begun")
        if state.signers is None:
            self.good(f"{what}: unsigned", "no signers are appointed: whoever can write there can erase")
        else:
            keys = ", ".join(sorted(map(fingerprint, state.signers.keys)))
            pinned = "pinned by the settings" if pin else "not pinned by the settings"
            self.good(f"{what}: signed", f"by {state.signers.approvals} of {keys}; {pinned}")
        return state

    def copies(self, states: Mapping[str, ErasureState]) -> None:
        """Check that remotes which have the same record have the very same one."""
        seen: dict[bytes, Record] = {}
        for local_name, state in states.items():
            for uid, record in state.records.items():
                if encode_record(seen.setdefault(uid, record)) != encode_record(record):
                    what = f"{self.name_of(local_name)}: {record.name}"
                    self.bad(
                        what, SignatureRefusedError(record.name, "another remote has it with another text")
                    )
        if len(states) > 1 and not self.failed:
            self.good(f"{len(states):,} remotes have the same records under the same ids")

    def anchors(self, has_erasures: bool) -> None:  # noqa: FBT001 - one call, beside
        """Hold `.dataver/erasure.toml` against the last journal entries that this clone saw."""
        try:
            anchors = load_anchors(self.repo)
        except (FormatError, UnsupportedError) as error:
            self.bad(".dataver/erasure.toml", error)
            return
        if has_erasures and not anchors:
            why = "no .dataver/erasure.toml here: a fresh clone of this version would not notice an old log"
            self.warnings.append(Failure(b"", "no-anchor", why, "dataver purge list", 0))
        for remote_id, anchor in sorted(anchors.items()):
            what = f"{self.name_of(remote_id)}: its log as .dataver/erasure.toml says"
            seen = seen_of(self.repo.common_folder, remote_id)
            if seen is None or seen.seq < anchor.seq:
                last = f"entry {seen.seq:,}" if seen is not None else "nothing"
                why = f"{what}: this clone saw {last} of {anchor.seq:,}"
                self.warnings.append(Failure(b"", "no-records", why, "dataver fetch", 0))
            elif seen.seq == anchor.seq and seen.entry_hash != anchor.entry_hash:
                self.bad(what, SignatureRefusedError(f"{anchor.seq}", "the log that was seen is another one"))
            else:
                self.good(what)

    def unread(self, known: set[str]) -> None:
        """Tell of remotes whose journal this clone never read."""
        for one in self.remotes():
            alias = one.name if one.copy else ""
            if _local_name(one) not in known and seen_of(self.repo.common_folder, one.id, alias) is None:
                why = f"remote {one.name}: this clone never read its records"
                hint = f"dataver fetch --remote {one.name}"
                self.warnings.append(Failure(b"", "no-records", why, hint, 0))

    def receipt(self, path: str, states: Iterable[ErasureState]) -> None:
        """Hold a receipt against the records."""
        data = _content(_place_of(self.repo, path))
        what = f"receipt {show_path(path)}"
        digest = receipt_digest(data).hex()
        try:
            receipt = decode_receipt(data, "receipt")
        except (FormatError, UnsupportedError) as error:
            self.bad(what, ReceiptRefusedError(path, error.message))
            return
        named = [
            (state, record)
            for state in states
            for record in state.records.values()
            if record.kind == CLOSE and record.info.get("receipt") == digest
        ]
        if not named:
            self.bad(what, ReceiptRefusedError(path, "no closing record names its digest"))
            return
        self.good(f"{what}: the closing record of {receipt.report.erasure} names its digest")
        wrong = next((why for state, record in named for why in _contradictions(receipt, state, record)), "")
        if wrong:
            self.bad(what, ReceiptRefusedError(path, f"the records contradict it: {wrong}"))
        else:
            self.good(f"{what}: the records say the same of dates, counts and leaves")


def _local_name(settings: RemoteSettings) -> str:
    """Return under which name a clone remembers a remote: a copy of another one has the same id."""
    return f"{settings.id}-{settings.name}" if settings.copy else settings.id


def _contradictions(receipt: Receipt, state: ErasureState, closing: Record) -> Iterator[str]:
    """Yield what a receipt says otherwise than the records up to the one that names it."""
    report = receipt.report
    before = list(state.records.values())
    before = before[: before.index(closing)]
    begun = next((r for r in before if r.kind == DENY and r.uid == closing.of), None)
    if begun is None or report.erasure != erasure_name(closing.of):
        yield f"the record that names it closes {erasure_name(closing.of)}"
        return
    records = [begun, *(r for r in before if r.kind == EXTEND and r.of == begun.uid)]
    leaves: dict[str, set[bytes]] = {}
    for record in records:
        for leaf, commitments in record.redact.items():
            leaves.setdefault(leaf.hex(), set()).update(commitments)
    if dict(report.leaves) != {leaf: len(found) for leaf, found in leaves.items()}:
        yield "leaves and entries"
    if report.due != next((r.due for r in reversed(records) if r.due), ""):
        yield "due date"
    info = dict(begun.info)
    if report.ticket != info.pop("ticket", ""):
        yield "ticket"
    if any(dict(report.facts).get(key) != value for key, value in info.items()):
        yield "counts and decisions"
    signers = {fingerprint(key) for r in records for key in state.signed_by.get(r.uid, ())}
    if not signers <= set(report.signed_by):
        yield "who signed"
    # Each journal dates by its own store's clock.
    if abs(_days(report.date) - state.times[begun.uid] // 86_400) > 1:
        yield "when it was begun"


def _days(date: str) -> int:
    """Return the days since 1970 of a date; a malformed one is very long ago."""
    try:
        return int(datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) // 86_400
    except ValueError:
        return -1_000_000


def _place_of(repo: Repo, receipt: str) -> str:
    """Return where a receipt lies; the name of an erasure stands for the one that this clone keeps of it."""
    path = os.path.join(repo.cwd, os.path.expanduser(receipt))
    if _NAME.fullmatch(receipt) and not os.path.exists(path):
        return receipt_path(repo, uid_of(repo, receipt))
    return path


def _content(path: str) -> bytes:
    try:
        fd = open_plain(path)
        with open(fd, "rb") as file:
            return file.read(MAX_SIZE + 1)
    except OSError as error:
        raise local_error(error, path) from error
