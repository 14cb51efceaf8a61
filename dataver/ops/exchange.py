"""What push, fetch and pull share: which versions they are about, and how they meet a remote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dataver.errors import DataverError, Failure, UnsafeError, UsageError, show_path
from dataver.formats.pointer import Pointer, decode_pointer, target_of
from dataver.git import ALL
from dataver.model.names import is_below
from dataver.ops.anchoring import check_anchor
from dataver.ops.choosing import Choice, origin_hint
from dataver.ops.obeying import NOTHING, Obeyed, obey_here
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.remote import Remote
from dataver.transfer.wanted import Ends, Version, bytes_of_size_text
from dataver.workspace.paths import PathLike, Selection, select
from dataver.workspace.pointers import Target
from dataver.workspace.sparse import Sparse

_MOST_EXPLAINED = 20


@dataclass(slots=True)
class Selected:
    """The versions that a person asked for."""

    versions: list[Version] = field(default_factory=list)
    patterns: list[bytes] = field(default_factory=list)
    """Per version the one path inside its target that it was narrowed to; empty for none."""
    blobs: dict[tuple[bytes, bytes], str] = field(default_factory=dict)
    """(target, root id) -> Git's id of a pointer that names it."""
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)


def present_versions(repo: Repo, paths: Sequence[PathLike], *, is_narrow: bool) -> Selected:
    """Return the versions that the pointers in HEAD, in Git's index and on disk name.

    With *is_narrow* a path inside a target narrows it, and without one its sparse set does.

    Raises: NoSuchPathError for a path that matches no target.
    """
    chosen = Selected()
    for selection in select(repo.targets(), paths, repo.cwd, repo.top):
        target = selection.target
        pointers = {} if target.pointer is None else {target.disk_blob or target.index_blob: target.pointer}
        # In a conflict theirs is fetched too, to be checked out when it is resolved.
        theirs = target.stages[2] if is_narrow else ""
        others = [b for b in (target.head_blob, target.index_blob, theirs) if b and b not in pointers]
        found, errors = _decoded(repo, dict.fromkeys(others, target.pointer_path))
        if target.error is not None and target.pointer is None:
            chosen.failed.append(target.error.failure(target.path))
        chosen.failed += [error.failure(target.path) for error in errors.values()]
        for blob, pointer in {**pointers, **found}.items():
            _add(chosen, repo, selection, pointer, blob, is_narrow=is_narrow)
    return chosen


def versions_of_commits(repo: Repo, paths: Sequence[PathLike], refs: str | None) -> Selected:
    """Return the versions that the commits of *refs* (`A..B`) brought; of all branches and tags for None.

    Raises: UnknownRevisionError, NoSuchPathError.
    """
    chosen = Selected()
    rows = repo.git.pointer_blobs([ALL] if refs is None else refs.split())
    found, errors = _decoded(repo, {blob: path for path, blob, _ in rows})
    if repo.git.is_shallow():
        message = "this clone is shallow: versions of commits that it lacks are left out"
        chosen.warnings.append(Failure(b"", "shallow", message, "git fetch --unshallow", 0))
    targets = {target_of(path): Target(target_of(path), path, "", "", "", None) for path, _, _ in rows}
    wanted = {s.target.path for s in select(list(targets.values()), paths, repo.cwd, repo.top)}
    for path, blob, _ in rows:
        if target_of(path) not in wanted:
            continue
        if blob in errors:
            chosen.failed.append(errors[blob].failure(target_of(path)))
        else:
            selection = Selection(targets[target_of(path)], ())
            _add(chosen, repo, selection, found[blob], blob, is_narrow=False)
    return chosen


def _add(
    chosen: Selected, repo: Repo, selection: Selection, pointer: Pointer, blob: str, *, is_narrow: bool
) -> None:
    target = selection.target.path
    if (target, pointer.root_id) in chosen.blobs:
        return
    chosen.blobs[target, pointer.root_id] = blob
    version = Version(
        pointer.root_id, target, pointer.is_folder, pointer.files, bytes_of_size_text(pointer.size_text)
    )
    if not is_narrow:
        scopes = [(version, b"")]
    elif selection.patterns:
        scopes = [(_narrowed(version, (p,)), p) for p in selection.patterns]
    else:
        record = repo.records.load(target)
        scopes = [(_narrowed(version, record.patterns if record else ()), b"")]
    for narrowed, pattern in scopes:
        chosen.versions.append(narrowed)
        chosen.patterns.append(pattern)


def version_of(choice: Choice) -> Version:
    """Return the version of one choice, narrowed to its paths."""
    pointer = choice.pointer
    version = Version(
        pointer.root_id, choice.path, pointer.is_folder, pointer.files, bytes_of_size_text(pointer.size_text)
    )
    return _narrowed(version, choice.patterns)


def _decoded(repo: Repo, paths: dict[str, bytes]) -> tuple[dict[str, Pointer], dict[str, DataverError]]:
    """Return the pointers that Git's blobs hold, and the errors of those that cannot be read.

    *paths* says for each blob where it stands.
    """
    found: dict[str, Pointer] = {}
    errors: dict[str, DataverError] = {}
    for blob, data in zip(paths, repo.git.try_read_blobs(list(paths)) if paths else (), strict=True):
        try:
            if isinstance(data, DataverError):
                raise data
            found[blob] = decode_pointer(data, show_path(paths[blob]))
        except DataverError as error:
            errors[blob] = error
    return found, errors


def _narrowed(version: Version, patterns: Iterable[bytes]) -> Version:
    return Version(
        version.root_id, version.target, version.is_folder, version.files, version.size, Sparse(patterns)
    )


def check_refs(refs: str | None, *, all_refs: bool) -> None:
    """Raises: UsageError when both ways to name commits are used at once."""
    if refs is not None and all_refs:
        raise UsageError("--refs and --all are two ways to name versions: give one")


def select_versions(
    repo: Repo, paths: Sequence[PathLike], refs: str | None, *, all_refs: bool, is_narrow: bool
) -> Selected:
    """Return the versions of the present pointers, or of commits where they are asked for."""
    check_refs(refs, all_refs=all_refs)
    if refs is not None or all_refs:
        return versions_of_commits(repo, paths, refs)
    return present_versions(repo, paths, is_narrow=is_narrow)


# -- the remote -------------------------------------------------------------------------------------


def meet(repo: Repo, name: str, *, is_restored: bool = False) -> Remote:
    """Return the remote *name* with its journal read and obeyed, and the secret that lies there taken over.

    With *is_restored* it may be older than `.dataver/erasure.toml` says.  Raises: RemoteError and its
    kin, RemoteStateError, SignatureRefusedError, OldLogError.
    """
    remote = repo.remote(name)
    known = remote.seen.seq
    remote.refresh()
    if not is_restored:
        check_anchor(repo, remote, known)
    repo.obey(remote)
    if repo.secret is None:
        found = remote.secret()
        if found is not None:
            repo.set_secret(found)
    return remote


def meet_obeying(
    repo: Repo, name: str, *, dry_run: bool = False, progress: Progress = SILENT
) -> tuple[Remote, Obeyed]:
    """Return the remote *name* as `meet` does, after this clone has removed what its records name.

    Raises: what `meet` and `obey_here` raise; with *dry_run* nothing is removed.
    """
    remote = meet(repo, name)
    return remote, NOTHING if dry_run else obey_here(repo, progress=progress)


def share_secret(repo: Repo, remote: Remote) -> None:
    """Put the repository secret on a remote that has none, before the first push.

    Raises: UnsafeError where the secret of another repository lies there.
    """
    mine = repo.secret
    if mine is None or repo.config.key_command:
        return
    if remote.put_secret_if_absent(mine) != mine:
        raise UnsafeError(
            f"{remote.url} holds the data of another repository: its secret is not this one's",
            hint="dataver remote add NAME URL",
        )


def ends_of(repo: Repo, remote: Remote, jobs: int | None, *, delivers: bool = False) -> Ends:
    """Return the cache and *remote* as the two ends of a transfer.

    With *delivers* what is under a hold is left out as well.
    """
    denies = repo.withholder() if delivers else repo.entry_denier()
    return Ends(repo.cache, remote, repo.disk, repo.trees.erased, denies, jobs or repo.config.jobs)


def explained(repo: Repo, chosen: Selected, failed: Iterable[Failure]) -> list[Failure]:
    """Return *failed* with the commit and author of each version that cannot be found anywhere."""
    blobs = {target: blob for (target, _), blob in reversed(chosen.blobs.items())}
    hints: dict[bytes, str] = {}
    explained = []
    for failure in failed:
        target = next((t for t in blobs if is_below(failure.path, t)), b"")
        if failure.code == "missing-object" and target:
            if target not in hints:
                is_few = len(hints) < _MOST_EXPLAINED
                hints[target] = origin_hint(repo.git, target + b".dv", blobs[target]) if is_few else ""
            failure = failure._replace(hint=hints[target] or failure.hint)
        explained.append(failure)
    return explained
