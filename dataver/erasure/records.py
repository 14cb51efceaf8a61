"""Erasure records in the order of their journal, verified, and folded into one state.

The only module that decides which records are obeyed.  A record that may not be obeyed is never
skipped: it refuses the whole journal, since whoever could write it could write others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

from dataver.erasure.signatures import SshKeygen, Verifier
from dataver.errors import FormatError, SignatureRefusedError
from dataver.formats.erasure import (
    CLOSE,
    DENY,
    EXTEND,
    HOLD,
    LIFT,
    RELEASE,
    SIGNERS,
    Record,
    SignedRecord,
    decode_signed,
    erasure_name,
    signers_hash,
)
from dataver.formats.redaction import NOTHING_ERASED, Erased


class JournalRecord(Protocol):
    """An erasure record as the journal gives it; `store.journal.Record` is one."""

    @property
    def seq(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @property
    def time_s(self) -> int: ...

    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Signers:
    """Who may sign, and how many of them must."""

    keys: frozenset[str]
    approvals: int
    hash: bytes
    """Of the record that says so."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure with all records that extend it."""

    uid: bytes
    time_s: int
    """Of the journal entry, in seconds since 1970."""
    due: str = ""
    is_closed: bool = False
    is_lifted: bool = False
    """Its content may come back; what is redacted stays redacted."""

    @property
    def name(self) -> str:
        return erasure_name(self.uid)


@dataclass(frozen=True, slots=True)
class ErasureState:
    """What the records of one journal demand."""

    erased: Erased = NOTHING_ERASED
    denied: Mapping[bytes, bytes] = field(default_factory=lambda: MappingProxyType({}))
    """Deny id -> uid of the erasure."""
    held: Mapping[bytes, bytes] = field(default_factory=lambda: MappingProxyType({}))
    """Deny id -> uid of the hold: kept, but not delivered."""
    erased_by: Mapping[bytes, bytes] = field(default_factory=lambda: MappingProxyType({}))
    """Commitment of an erased or replaced entry -> uid of the erasure."""
    erasures: Mapping[bytes, Erasure] = field(default_factory=lambda: MappingProxyType({}))
    """By uid, in journal order."""
    signers: Signers | None = None
    records: Mapping[bytes, Record] = field(default_factory=lambda: MappingProxyType({}))
    """All of them by uid, in journal order."""
    times: Mapping[bytes, int] = field(default_factory=lambda: MappingProxyType({}))
    """When each came to its journal, in seconds since 1970."""
    signed_by: Mapping[bytes, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """The keys of the signers that signed each record."""

    def name_of(self, commitment: bytes) -> str:
        """Return the erasure, like `E-1f3a9c2e`, that erased an entry; empty where none did."""
        uid = self.erased_by.get(commitment)
        return erasure_name(uid) if uid else ""


NO_ERASURES = ErasureState()


def fold(
    records: Sequence[JournalRecord],
    *,
    pin: bytes = b"",
    told: Iterable[bytes] = (),
    verifier: Verifier | None = None,
) -> ErasureState:
    """Return what *records* (all of a journal, in its order) demand together.

    *pin* is the hash of the first signers record where the config pins one; *told* are
    commitments that pushes say they left out.

    Raises: SignatureRefusedError for a record that is replayed, unsigned where signers exist,
    signed by too few, or out of place; FormatError for a malformed or oversized one;
    UnsupportedError for one of a later version.
    """
    if not records:
        return NO_ERASURES
    parsed = [(r, decode_signed(r.body, r.kind, f"erasure record {r.seq}")) for r in records]
    folding = _Folding(pin, _adopted(parsed), verifier or SshKeygen())
    for journal_record, signed in parsed:
        folding.take(journal_record, signed)
    return folding.state(told)


def _adopted(parsed: Sequence[tuple[JournalRecord, SignedRecord]]) -> frozenset[bytes]:
    first = next((s.record for _, s in parsed if s.record.kind == SIGNERS), None)
    return frozenset(first.adopts) if first else frozenset()


class _Folding:
    """One pass over a journal's records."""

    def __init__(self, pin: bytes, adopted: frozenset[bytes], verifier: Verifier) -> None:
        self._pin, self._adopted, self._verifier = pin, adopted, verifier
        self._uids: dict[bytes, Record] = {}
        self._erasures: dict[bytes, Erasure] = {}
        self._signers: Signers | None = None
        self._released: set[bytes] = set()
        self._times: dict[bytes, int] = {}
        self._signed_by: dict[bytes, tuple[str, ...]] = {}

    def take(self, found: JournalRecord, signed: SignedRecord) -> None:
        record = signed.record
        where = f"{record.name} (journal entry {found.seq})"
        if record.uid in self._uids:
            raise SignatureRefusedError(where, "its uid was used before: a replay")
        if record.kind == SIGNERS:
            self._take_signers(where, signed)
        else:
            self._check_signed(where, signed)
            self._apply(where, found, record)
        self._uids[record.uid] = record
        self._times[record.uid] = found.time_s
        if signed.signatures:
            self._signed_by[record.uid] = tuple(signature.key for signature in signed.signatures)

    def _take_signers(self, where: str, signed: SignedRecord) -> None:
        record = signed.record
        own = Signers(frozenset(record.keys), record.approvals, signers_hash(signed.signed))
        if self._signers is None:
            if record.after or (self._pin and own.hash != self._pin):
                raise SignatureRefusedError(where, "these are not the first signers that the config pins")
            self._check_approvals(where, signed, own)
        else:
            if record.after != self._signers.hash:
                raise SignatureRefusedError(where, "it does not follow the signers in force")
            self._check_approvals(where, signed, self._signers)
        self._signers = own

    def _check_signed(self, where: str, signed: SignedRecord) -> None:
        if self._signers is not None:
            # That an erasure is done deletes nothing: one signer may say it.
            is_closing = signed.record.kind == CLOSE
            signers = replace(self._signers, approvals=1) if is_closing else self._signers
            self._check_approvals(where, signed, signers)
            return
        if self._pin and signed.record.uid not in self._adopted:
            raise SignatureRefusedError(where, "it is not signed, and the config pins signers")
        if signed.record.substitute:
            raise SignatureRefusedError(where, "rows are replaced only by a signed record")

    def _check_approvals(self, where: str, signed: SignedRecord, signers: Signers) -> None:
        known = [s for s in signed.signatures if s.key in signers.keys]
        if not signed.signatures:
            raise SignatureRefusedError(where, "it is not signed, and signers exist")
        good = 0
        for signature in known:
            good += self._verifier.is_valid(signed.signed, signature)
            if good >= signers.approvals:
                return
        raise SignatureRefusedError(where, f"{good} good signatures of signers, {signers.approvals} needed")

    def _apply(self, where: str, found: JournalRecord, record: Record) -> None:
        if record.kind == DENY:
            self._erasures[record.uid] = Erasure(record.uid, found.time_s, record.due)
            return
        if record.kind == HOLD:
            return
        target = self._uids.get(record.of)
        wanted = HOLD if record.kind == RELEASE else DENY
        if target is None or target.kind != wanted:
            raise SignatureRefusedError(where, f"it names no {wanted} record before it")
        if record.kind == RELEASE:
            self._released.add(record.of)
            return
        erasure = self._erasures[record.of]
        if erasure.is_lifted:
            raise SignatureRefusedError(where, "the erasure was lifted")
        if record.kind == LIFT:
            erasure = replace(erasure, is_lifted=True)
        elif record.kind == CLOSE:
            erasure = replace(erasure, is_closed=True)
        else:
            erasure = replace(erasure, due=record.due or erasure.due, is_closed=False)
        self._erasures[record.of] = erasure

    def state(self, told: Iterable[bytes]) -> ErasureState:
        entries: set[bytes] = set()
        substitutes: dict[bytes, bytes] = {}
        denied: dict[bytes, bytes] = {}
        held: dict[bytes, bytes] = {}
        erased_by: dict[bytes, bytes] = {}
        for record in self._uids.values():
            uid = record.of or record.uid
            if record.kind == HOLD and record.uid not in self._released:
                held.update(dict.fromkeys(record.deny, record.uid))
            if record.kind not in (DENY, EXTEND):
                continue
            if not self._erasures[uid].is_lifted:
                for one in record.deny:
                    denied.setdefault(one, uid)
            for commitments in record.redact.values():
                entries.update(commitments)
                for commitment in commitments:
                    erased_by.setdefault(commitment, uid)
            for old, new in record.substitute.items():
                if substitutes.get(old, new) != new:
                    raise FormatError(record.name, "replaces an entry that another record replaces otherwise")
                substitutes[old] = new
                erased_by.setdefault(old, uid)
        # Where nothing was ever denied no push had a reason to leave an entry out.
        believed = frozenset(told) if self._erasures else frozenset()
        return ErasureState(
            erased=Erased(frozenset(entries), substitutes, believed),
            denied=MappingProxyType(denied),
            held=MappingProxyType(held),
            erased_by=MappingProxyType(erased_by),
            erasures=MappingProxyType(self._erasures),
            signers=self._signers,
            records=MappingProxyType(self._uids),
            times=MappingProxyType(self._times),
            signed_by=MappingProxyType(self._signed_by),
        )


def merged(states: Sequence[ErasureState]) -> ErasureState:
    """Return what the journals of several remotes demand together: erased by one is erased."""
    if len(states) < 2:
        return states[0] if states else NO_ERASURES
    substitutes = {c: s for state in states for c, s in state.erased.substitutes.items()}
    return ErasureState(
        erased=Erased(
            frozenset().union(*(s.erased.entries for s in states)),
            substitutes,
            frozenset().union(*(s.erased.told for s in states)),
        ),
        denied={k: v for s in states for k, v in s.denied.items()},
        held={k: v for s in states for k, v in s.held.items()},
        erased_by={k: v for s in states for k, v in s.erased_by.items()},
        erasures=_merged_erasures(states),
        signers=next((s.signers for s in states if s.signers is not None), None),
        records={k: v for s in states for k, v in s.records.items()},
        times={k: v for s in states for k, v in s.times.items()},
        signed_by={k: v for s in states for k, v in s.signed_by.items()},
    )


def _merged_erasures(states: Sequence[ErasureState]) -> dict[bytes, Erasure]:
    """Return the erasures of all *states*: what one journal lifts or closes is lifted or closed."""
    found: dict[bytes, Erasure] = {}
    for state in states:
        for uid, erasure in state.erasures.items():
            before = found.get(uid, erasure)
            found[uid] = replace(
                erasure,
                time_s=min(before.time_s, erasure.time_s),
                is_closed=before.is_closed or erasure.is_closed,
                is_lifted=before.is_lifted or erasure.is_lifted,
            )
    return found
