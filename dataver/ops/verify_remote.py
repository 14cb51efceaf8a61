"""The remote part of `verify`: its journal, segments and packs, and what versions need of them.

Longer than 300 lines because a look at a remote is one state: what is damaged decides what is asked next.
"""

from __future__ import annotations

from collections.abc import Iterator

from dataver.errors import (
    DataverError,
    Failure,
    FormatError,
    IntegrityError,
    NotARemoteError,
    UnsupportedError,
)
from dataver.formats import layout
from dataver.formats.keys import Secret, decode_secret, encode_secret
from dataver.formats.redaction import NOTHING_ERASED, Erased
from dataver.hashing import derive
from dataver.model.guarding import VerifiedPlace
from dataver.model.names import (
    CHUNK,
    RECIPE,
    STRUCTURE_KINDS,
    ObjectName,
    StructureId,
    blob_name,
    oid_of_name,
    root_name,
)
from dataver.ops.damage import CORRUPT, MISSING, Ask, Draft, Outcome, explain, names_of, object_draft
from dataver.ops.exchange import ends_of, meet
from dataver.ops.remote_needs import needs_of, structured
from dataver.ops.whose import Owner
from dataver.progress import Progress
from dataver.repo import Repo
from dataver.store.bucket import Bucket, KeyMissingError
from dataver.store.remote import Remote
from dataver.store.trees import EMPTY_ROOT_ID
from dataver.transfer.connect import bucket_of
from dataver.transfer.journal_scrub import Finding, scrub_journal
from dataver.transfer.mending import Sources, is_journal_of, mend, mend_description, mend_segments
from dataver.transfer.remote_scrub import (
    Listed,
    lost_packs,
    names_in,
    scrub_packs,
    scrub_segments,
    unsound_in,
)
from dataver.transfer.send import Writer
from dataver.transfer.wanted import Ends


def verify_remote(repo: Repo, name: str, ask: Ask, progress: Progress) -> Outcome:
    """Verify the remote *name*; with `ask.repair` store again what a sound copy is known of.

    Raises: RemoteError and its kin where it cannot be read at all, SignatureRefusedError.
    """
    try:
        remote = repo.remote(name)
    except (FormatError, UnsupportedError, NotARemoteError) as error:
        bucket, remote_id = _pinned(repo, name)
        is_ours = bool(remote_id) and is_journal_of(bucket, remote_id)
        # Only with that proof it is our remote with a damaged file, and not another place.
        if not is_ours and (
            isinstance(error, NotARemoteError) or not error.what.startswith(layout.DESCRIPTION_KEY)
        ):
            raise
        draft = Draft(layout.DESCRIPTION_KEY, CORRUPT, why=error.message, copy="clone" if is_ours else "")
        if is_ours and ask.repair:
            mend_description(bucket, remote_id)
            draft.is_repaired = True
            found = _Verifying(repo, repo.remote(name), name, ask, progress).run()
            found.drafts.insert(0, draft)
            return found
        place = VerifiedPlace(name, files=0, objects=0, size=0, total=0, versions=0)
        return Outcome(place, [draft])
    return _Verifying(repo, remote, name, ask, progress).run()


def _pinned(repo: Repo, name: str) -> tuple[Bucket, str]:
    """Return where the remote *name* lies, and the id that the config pins; empty for none."""
    settings = repo.config.remote(name)
    assert settings is not None
    return bucket_of(settings, top=repo.top, disk=repo.disk, clock=repo.clock), settings.id


class _Verifying:
    """One look at one remote."""

    def __init__(self, repo: Repo, remote: Remote, name: str, ask: Ask, progress: Progress) -> None:
        self._repo, self._remote, self._name = repo, remote, name
        self._ask, self._progress = ask, progress
        self._drafts: list[Draft] = []
        self._warnings: list[Failure] = []
        self._erased: Erased = NOTHING_ERASED
        self._absent: set[bytes] = set()
        self._bad: dict[StructureId, set[ObjectName]] = {}
        """Damaged packs, and what a reader would not get out of each."""
        self._lost: dict[StructureId, str] = {}
        self._why: dict[StructureId, str] = {}
        self._files = self._objects = self._size = self._total = self._newer = self._versions = 0

    def run(self) -> Outcome:
        if self._journal():
            packs = self._segments()
            if self._is_searchable():
                self._packs(packs)
                self._complete()
                self._heal()
        place = VerifiedPlace(
            self._name,
            files=self._files,
            objects=self._objects,
            size=self._size,
            total=self._total,
            versions=self._versions,
            absent=tuple(sorted(self._absent)),
            newer=self._newer,
        )
        return Outcome(place, self._drafts, self._warnings)

    def _add(self, finding: Finding, *, is_repaired: bool = False, copy: str = "") -> None:
        state = MISSING if finding.is_missing else CORRUPT
        self._drafts.append(Draft(finding.what, state, why=finding.why, copy=copy, is_repaired=is_repaired))

    # -- journal and secret -------------------------------------------------------------------

    def _journal(self) -> bool:
        """Verify the journal; tell whether it could be read, so that it says what should be there."""
        remote, refused = self._remote, None
        try:
            remote.refresh(thoroughly=True)
            self._repo.obey(remote)
        except (IntegrityError, UnsupportedError) as error:
            refused = error
        found = scrub_journal(remote.bucket, remote.remote_id, remote.seen)
        last = remote.last_entry_copy()
        if last is not None and remote.seen.seq:
            # By its hash it is the entry that everybody read: it may be put back as it was.
            found.states[layout.journal_key(remote.seen.seq)] = last
        self._size += found.size
        self._total += found.size
        for finding in found.found:
            data = found.states.get(finding.key)
            if data is not None and self._ask.repair:
                # Bytes that their hash proves, a state that follows from the entries: the same for all.
                remote.bucket.put(finding.key, data)
            self._add(
                finding,
                is_repaired=data is not None and self._ask.repair,
                copy="clone" if data is not None else "",
            )
        if refused is not None and self._drafts and all(draft.is_repaired for draft in self._drafts):
            remote.refresh(thoroughly=True)
            self._repo.obey(remote)
            refused = None
        if refused is not None and not found.found:
            self._drafts.append(Draft("journal", CORRUPT, why=refused.message))
        self._secret()
        self._erased = self._repo.trees.erased  # as of the records that were just obeyed
        return refused is None

    def _secret(self) -> None:
        """Compare the secret with this clone's, by which the journal knows this repository."""
        mine = self._repo.secret
        bucket, key = self._remote.bucket, layout.SECRET_KEY
        fault: Finding | None = None
        try:
            data = bucket.get(key, 0, 8192)
            is_other = mine is not None and decode_secret(data, key) != mine
            if is_other and self._is_ours(mine):
                fault = Finding(key, key, is_missing=False, why="another secret than this repository's")
        except KeyMissingError:
            if self._is_ours(mine) and not self._repo.config.key_command:
                fault = Finding(key, key, is_missing=True)
        except (FormatError, UnsupportedError) as error:
            fault = Finding(key, key, is_missing=False, why=error.message)
        if fault is None:
            return
        can_repair = self._is_ours(mine)
        if can_repair and self._ask.repair and mine is not None:
            bucket.put(key, encode_secret(mine))
        self._add(fault, is_repaired=can_repair and self._ask.repair, copy="clone" if can_repair else "")

    def _is_ours(self, secret: Secret | None) -> bool:
        """Tell whether the journal says that the repository of *secret* wrote here."""
        return (
            secret is not None
            and derive("dataver v1 repo id", secret.value)[:16].hex() in self._remote.repos()
        )

    # -- segments and packs -------------------------------------------------------------------

    def _segments(self) -> dict[StructureId, Listed]:
        found = scrub_segments(self._remote.bucket, self._remote.live_segments())
        self._size += found.size
        self._total += found.size
        has_copy = {ref.segment_id for ref in found.bad if self._remote.segment_copy(ref) is not None}
        mended = mend_segments(self._remote, found.bad) if self._ask.repair else set()
        for finding, ref in zip(found.found, found.bad, strict=True):
            copy = "clone" if ref.segment_id in has_copy else ""
            self._add(finding, is_repaired=ref.segment_id in mended, copy=copy)
        for ref in found.bad:
            if ref.segment_id in mended:
                found.packs |= scrub_segments(self._remote.bucket, [ref]).packs
        return found.packs

    def _is_searchable(self) -> bool:
        """Tell whether all segments can be searched, if need be in this clone's copies."""
        try:
            self._remote.pack_sizes()
            for _ in self._remote.segment_rows():
                pass
        except IntegrityError:
            return False
        return True

    def _packs(self, packs: dict[StructureId, Listed]) -> None:
        self._total += sum(listed.size for listed in packs.values())
        self._lost = lost_packs(self._remote.bucket, packs)
        there = [(i, listed) for i, listed in sorted(packs.items()) if i not in self._lost]
        if self._ask.is_explicit:
            needed = self._needed_packs()
            there = [(i, listed) for i, listed in there if i in needed]
        chosen = self._ask.sample.of((pack, pack[1].size) for pack in there)
        size = sum(listed.size for _, listed in chosen)
        results = scrub_packs(
            self._remote,
            chosen,
            self._erased,
            self._ask.jobs or self._repo.config.jobs,
            self._progress,
            total=len(chosen),
            size=size,
        )
        damaged: dict[StructureId, set[ObjectName]] = {}
        for pack_id, found, is_missing in results:
            if is_missing:
                self._lost[pack_id] = ""
                continue
            self._files += 1
            self._objects += found.objects
            self._size += found.size
            self._newer += found.newer
            if found.fault or found.bad:
                damaged[pack_id] = set(found.bad)
                self._why[pack_id] = found.fault
        if damaged or self._lost:
            self._forget_removed(damaged)
        listed = names_in(self._remote, {*damaged, *self._lost})
        for pack_id in self._lost:
            self._bad[pack_id] = set(listed[pack_id])
        for pack_id, bad in damaged.items():
            if self._why[pack_id]:
                bad |= set(unsound_in(self._remote, pack_id, listed[pack_id]))
            self._bad[pack_id] = bad
        if self._bad:
            self._draft_packs(listed)

    def _forget_removed(self, damaged: dict[StructureId, set[ObjectName]]) -> None:
        """Leave out packs that somebody else's gc or repair removed while they were read."""
        self._remote.refresh()
        live = self._remote.pack_sizes()
        for pack_id in [p for p in damaged if p not in live]:
            del damaged[pack_id]
        self._lost = {pack_id: why for pack_id, why in self._lost.items() if pack_id in live}

    def _draft_packs(self, listed: dict[StructureId, list[ObjectName]]) -> None:
        """Draft each object that no other pack holds soundly, and each pack of which none is left out."""
        bad = set().union(*self._bad.values())
        elsewhere = set(self._remote.find(bad, self._bad.keys()))
        for pack_id, names in listed.items():
            elsewhere.update(set(names) - self._bad[pack_id])
        for pack_id, names_bad in self._bad.items():
            state = MISSING if self._lost.get(pack_id) == "" else CORRUPT
            why = self._lost.get(pack_id) or self._why.get(pack_id, "")
            gone = sorted(names_bad - elsewhere)
            self._drafts += [object_draft(name, state, why) for name in gone]
            if not gone:
                why = f"{why}; nothing is lost with it" if why else "all that is damaged in it lies elsewhere"
                self._drafts.append(Draft(f"pack {pack_id.hex()[:12]}", state, why=why, copy=self._name))

    def _needed_packs(self) -> set[StructureId]:
        """Return the packs that hold anything of the chosen versions."""
        found: set[StructureId] = set()
        ends = ends_of(self._repo, self._remote, self._ask.jobs)
        for version in self._ask.chosen.versions:
            for batch in needs_of(ends, self._ask.chosen, version):
                found.update(place.pack_id for place in self._remote.find(batch).values())
        return found

    # -- what versions need -------------------------------------------------------------------

    def _complete(self) -> None:
        """Look up every object of the versions that were pushed, or were asked for."""
        ends = ends_of(self._repo, self._remote, self._ask.jobs)
        versions = [v for v in self._ask.chosen.versions if v.root_id != EMPTY_ROOT_ID]
        pushed = self._remote.find({root_name(v.root_id) for v in versions})
        lacking: dict[ObjectName, Owner] = {}
        damaged = set[ObjectName]().union(*self._bad.values())
        for version in versions:
            is_pushed = root_name(version.root_id) in pushed or version.root_id in self._remote.roots()
            if not is_pushed and not self._ask.is_explicit:
                self._absent.add(version.target)
                continue
            self._versions += 1
            for batch in needs_of(ends, self._ask.chosen, version, damaged):
                held = self._remote.find(batch)
                for name, owner in batch.items():
                    if name not in held:
                        lacking.setdefault(name, owner)
        self._drafts += [object_draft(name, MISSING, owner=owner) for name, owner in lacking.items()]

    def _heal(self) -> None:
        """Find good copies; with `repair` store again what was lost."""
        if not self._drafts:
            return
        ends = ends_of(self._repo, self._remote, self._ask.jobs)
        explain(self._repo, self._drafts, self._ask.chosen, structured(ends))
        if not (self._bad or names_of(self._drafts)):
            return
        if self._ask.repair:
            self._mend(ends)
        else:
            self._find_copies()

    def _find_copies(self) -> None:
        """Say which lost objects the cache has."""
        here = {name: _in_cache(name, draft) for draft in self._drafts if (name := draft.name) is not None}
        lost = set(self._repo.cache.missing(list(here.values())))
        for draft in self._drafts:
            if draft.name is not None and here[draft.name] not in lost:
                draft.copy = "cache"

    def _mend(self, ends: Ends) -> None:
        remote, repo = self._remote, self._repo
        remote.condemn(self._bad.keys())
        listed = names_in(remote, self._bad.keys())
        names = names_of(self._drafts).union(*listed.values())
        denies = repo.denier()
        if denies is not None:
            names = {n for n in names if n[0] in STRUCTURE_KINDS or not denies(oid_of_name(n))}
        damaged = [pack_id for pack_id in self._bad if self._lost.get(pack_id) != ""]
        sources = Sources(damaged, self._others)
        came = mend(ends, Writer(repo.clone_id, repo.repo_id), names, sources, self._progress)
        repo.obey(remote)
        held = set(remote.find(names, self._bad.keys()))
        left = {pack_id.hex()[:12] for pack_id in remote.pack_sizes() if pack_id in self._bad}
        for draft in self._drafts:
            if draft.name is not None:
                draft.is_repaired = draft.name in held
                draft.copy = came.get(draft.name, draft.copy)
            elif draft.what.startswith("pack "):
                draft.is_repaired = draft.what.removeprefix("pack ") not in left

    def _others(self) -> Iterator[tuple[str, Remote]]:
        for name in self._repo.config.remote_names:
            if name == self._name:
                continue
            try:
                yield name, meet(self._repo, name)
            except DataverError as error:
                self._warnings.append(error.failure()._replace(exit_status=0))


def _in_cache(name: ObjectName, draft: Draft) -> ObjectName:
    """Return what the cache has in the place of *name*: whole files where the remote has chunks."""
    if name[0] in (CHUNK, RECIPE) and draft.owner is not None and draft.owner.oid is not None:
        return blob_name(draft.owner.oid)
    return name
