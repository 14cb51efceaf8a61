"""`purge plan`: what erasing would take, in all versions and remotes; it writes a file that says so."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from dataver.erasure.deny import is_held
from dataver.erasure.examine import telling_guide
from dataver.erasure.plan import Plan, planned, save_plan
from dataver.erasure.touched import packs_holding
from dataver.errors import (
    AccessDeniedError,
    DataverError,
    Failure,
    HeldError,
    NoSuchPathError,
    SharedContentError,
    SignatureRefusedError,
    UsageError,
)
from dataver.formats.erasure import DENY, Record
from dataver.formats.keys import Secret
from dataver.formats.tree import Substitute, substitute_commitment
from dataver.hashing import derive
from dataver.model.names import StructureId, blob_name, leaf_name, recipe_name
from dataver.model.purging import PurgePlanResult
from dataver.ops.neighbours import neighbours
from dataver.ops.purge_asking import Asked, check_asked, seek, selectable_of
from dataver.ops.purge_choosing import ERASE, UNLINK, Chosen, choose, deny_ids, is_at, note_shared
from dataver.ops.purge_places import Place, open_places, planned_remote
from dataver.ops.purge_residue import Held, find_held, find_residue, terms_of
from dataver.ops.purge_rows import substituted
from dataver.ops.purge_unadded import find_unadded
from dataver.ops.purge_versions import Reader, Versions, find_versions
from dataver.ops.reachable import reachable
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.trees import Trees
from dataver.transfer.verify import UNREADABLE
from dataver.workspace.local import new_secret
from dataver.workspace.paths import PathLike

_MOST_INFO = 1000


def purge_plan(
    repo: Repo,
    *,
    paths: Sequence[PathLike] = (),
    oids: Sequence[str] = (),
    files: Sequence[PathLike] = (),
    subjects: Sequence[str] = (),
    rows: Sequence[PathLike] = (),
    key: str = "",
    rev: str | None = None,
    due: str = "",
    ticket: str = "",
    shared: str = "",
    remotes: Sequence[str] = (),
    progress: Progress = SILENT,
) -> PurgePlanResult:
    """Find all that erasing would take, in every version that Git keeps, and keep it as a plan.

    What goes is named by *paths* (with globs), by content (*oids*, or *files* that hold it), by
    person (*subjects*, ids that the rules of `.dataver/subjects.toml` lead to paths), or as *rows*
    of tables whose column *key* has one of *subjects*.  *rev* (`A..B`) narrows where it is looked up; what is
    found is erased from every version.  *shared* (`erase`, `unlink`) decides about content that lies
    outside of the selection too.  *due* is a date such as `2026-03-02`.

    Raises: UsageError; NoSuchPathError where nothing matches; HeldError for content under a hold.
    """
    asked = Asked(tuple(paths), tuple(oids), tuple(files), tuple(subjects), tuple(rows), key, rev)
    check_asked(asked, due)
    if shared not in ("", ERASE, UNLINK):
        raise UsageError(f"--shared {shared!r}: choose erase or unlink")
    secret = repo.secret
    places = open_places(repo, remotes)
    if secret is None:
        secret = repo.secret or new_secret()
        repo.set_secret(secret)
    with repo.cache_lock(shared=True, progress=progress):
        remote_ends = [place.remote for place in places if place.remote is not None]
        versions = find_versions(repo, remote_ends, progress=progress)
        reader = Reader(repo, remote_ends)
        for place in places:
            _look_aside(place, reader, versions)
        sought = seek(repo, asked, versions, reader, remote_ends)
        wanted = sought.wanted
        chosen = choose(versions, reader, wanted, selectable_of(repo, asked, versions))
        if not (chosen.selected or chosen.replaced or wanted.oids):
            raise NoSuchPathError(b"", what="nothing in any version matches what was selected")
        # Content that no version here has yet may be on its way: it is denied all the same.
        for oid in wanted.oids:
            chosen.sizes.setdefault(oid, 0)
        _look_at_neighbours(repo, chosen, progress)
        replaced, substitutes = _substitutes(versions, reader, chosen)
    held = _held(repo, secret, chosen)
    held_in = find_held(repo, versions, chosen.datasets)
    terms = terms_of((os.fsencode(path) for path in paths), subjects)
    residue = find_residue(repo, terms)
    not_examined = (
        *versions.unread,
        *chosen.unread,
        *sought.unexamined,
        *sorted(chosen.opaque.items()),
        *(find_unadded(repo, versions, reader, wanted, chosen) if rev is None else ()),
    )
    undecided = bool(chosen.shared) and (not shared or (shared == UNLINK and bool(chosen.tied)))
    if replaced and repo.erasures.signers is None:
        raise _unsigned_rows()
    redact = chosen.redactions(shared)
    record = Record(
        kind=DENY,
        uid=os.urandom(16),
        deny=deny_ids(secret, chosen, chosen.shared_oids if shared == UNLINK else set()),
        redact=MappingProxyType(redact),
        substitute=MappingProxyType(replaced),
        due=due,
        info=MappingProxyType(
            {
                **_counts(chosen, held_in, redact),
                "residue": str(len(residue)),
                "not_examined": str(len(not_examined)),
                "shared": shared or "none",
                **({"rows": str(sought.rows)} if replaced else {}),
                **({"ticket": ticket[:_MOST_INFO]} if ticket else {}),
            }
        ),
    )
    failed: list[Failure] = []
    digest = ""
    if undecided:
        failed.append(_shared_error(chosen, shared))
    elif not held:
        names = tuple(place.name for place in places)
        basis = basis_of(versions)
        plan = Plan(planned(record, basis, names), basis, names, MappingProxyType(substitutes))
        save_plan(repo.common_folder, plan, repo.disk)
        digest = plan.digest
    failed += [HeldError(f"{os.fsdecode(path)} is under a hold").failure(path) for path in held]
    signers = repo.erasures.signers
    return PurgePlanResult(
        plan=digest,
        files=tuple(chosen.files[path] for path in sorted(chosen.files)),
        contents=len(chosen.sizes),
        size=sum(chosen.sizes.values()),
        entries=sum(map(len, redact.values())),
        leaves=len(redact),
        versions=len(chosen.datasets),
        unnamed_versions=chosen.unnamed,
        commits=len(held_in.commits),
        tags=held_in.tags,
        shared=tuple(chosen.shared[one] for one in sorted(chosen.shared)),
        shared_choice=shared,
        held=tuple(held),
        remotes=tuple(planned_remote(place, _packs(place, chosen, redact, shared)) for place in places),
        not_examined=not_examined,
        residue=tuple(residue),
        hints=tuple(sorted(held_in.beside)),
        rows=sought.rows,
        due=due,
        ticket=ticket,
        approvals=0 if signers is None else signers.approvals,
        failed=tuple(failed),
    )


def _look_aside(place: Place, reader: Reader, versions: Versions) -> None:
    """Add the leaves of packs that no segment of a remote lists; who may not see them is refused later."""
    if place.remote is not None and place.eraser is not None:
        known = {ref.leaf_id for ref in versions.leaves} | set(versions.unnamed)
        with contextlib.suppress(AccessDeniedError):
            versions.unnamed += dict.fromkeys(reader.take_unlisted(place.remote, place.eraser, known))


def _substitutes(
    versions: Versions, reader: Reader, chosen: Chosen
) -> tuple[dict[bytes, bytes], dict[bytes, tuple[Substitute, ...]]]:
    """Return what takes the place of tables: commitment -> commitment, and leaf -> entries."""
    replaced: dict[bytes, bytes] = {}
    found: dict[bytes, tuple[Substitute, ...]] = {}
    if not chosen.replaced:
        return replaced, found
    named = (leaf for _, leaf in reader.leaves(versions.leaves) if not isinstance(leaf, DataverError))
    for leaf in (*named, *reader.unnamed(versions.unnamed)):
        if leaf.leaf_id in chosen.replaced and leaf.leaf_id not in found:
            pairs = list(substituted(leaf, chosen.replaced[leaf.leaf_id]))
            replaced.update((old, substitute_commitment(new)) for old, new in pairs)
            found[leaf.leaf_id] = tuple(new for _, new in pairs)
    return replaced, found


def _look_at_neighbours(repo: Repo, chosen: Chosen, progress: Progress) -> None:
    """Note selected contents that other repositories need which share this cache."""
    trees = Trees(repo.cache)
    for reached in neighbours(repo, reachable(repo, progress=progress)):
        for root_id in sorted(reached.roots):
            try:
                for entry in trees.entries(root_id):
                    if entry.oid is not None and entry.oid in chosen.sizes:
                        chosen.shared_oids.add(entry.oid)
                        note_shared(chosen, entry.oid, entry.path, reached.user.shown)
            except UNREADABLE:
                continue  # its tree is not in this cache, and neither is what it names


def _held(repo: Repo, secret: Secret, chosen: Chosen) -> list[bytes]:
    """Return the selected paths whose content is under a hold."""
    if not repo.erasures.held:
        return []
    held = {oid for oid in chosen.sizes if is_held(repo.erasures, secret, oid)}
    inner = {path for path, oid in chosen.pairs if oid in held}
    return sorted(shown for shown in chosen.files if any(is_at(shown, path) for path in inner))


def _shared_error(chosen: Chosen, choice: str) -> Failure:
    if choice == UNLINK:
        path, other = next(iter(chosen.tied.items()))
        error = SharedContentError(len(chosen.tied), path, other)
        error.hint = "their folders are alike, so nobody can unlink only one: choose --shared=erase"
    else:
        path, other = next((one.path, one.other) for one in chosen.shared.values())
        error = SharedContentError(len(chosen.shared), path, other)
    return error.failure(path)


def _unsigned_rows() -> SignatureRefusedError:
    error = SignatureRefusedError(
        "the plan", "rows leave tables only by a signed record, and nobody may sign"
    )
    error.hint = "dataver purge signers KEY.pub --signing-key KEY"
    return error


def _counts(chosen: Chosen, held_in: Held, redact: Mapping[bytes, Sequence[bytes]]) -> dict[str, str]:
    facts = {
        "files": len(chosen.files),
        "contents": len(chosen.sizes),
        "entries": sum(map(len, redact.values())),
        "leaves": len(redact),
        "versions": len(chosen.datasets),
        "commits": len(held_in.commits),
        "tags": len(held_in.tags),
    }
    return {name: str(count) for name, count in facts.items()}


def _packs(
    place: Place, chosen: Chosen, redact: Mapping[bytes, Sequence[bytes]], shared: str
) -> dict[StructureId, int]:
    """Return the packs of a remote that the erasure writes anew, with their sizes."""
    if place.remote is None:
        return {}
    names = [name for oid in chosen.sizes for name in (blob_name(oid), recipe_name(oid))]
    names += [leaf_name(leaf) for leaf in (*redact, *chosen.replaced)]
    firsts = chosen.firsts_by(shared)
    return packs_holding(place.remote, names, lambda root: telling_guide(root, firsts))


def basis_of(versions: Versions) -> bytes:
    """Return the digest of all versions that a plan looked into."""
    rows = sorted(dataset.target + b"\0" + dataset.root_id for dataset in versions.datasets)
    return derive("dataver v1 purge basis", b"\n".join(rows))
