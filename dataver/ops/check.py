"""`check`: does a remote have all data that some commits name?  For CI, before a branch is merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dataver.errors import DataverError, Failure, NotPushedError, show_path
from dataver.git import ALL, CommitInfo
from dataver.model.guarding import CheckResult, LackingVersion
from dataver.ops.choosing import choose
from dataver.ops.exchange import Selected, check_refs, ends_of, meet, version_of, versions_of_commits
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.transfer.holdings import Holdings, Lack
from dataver.transfer.wanted import EVERYTHING, Version
from dataver.workspace.paths import PathLike, select
from dataver.workspace.pointers import Target

_SHOWN = 3


def check(
    repo: Repo,
    paths: Sequence[PathLike] = (),
    *,
    refs: str | None = None,
    all_refs: bool = False,
    remote: str | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> CheckResult:
    """Look up on a remote every object of every version that commits name; needs no data here.

    Those are HEAD's versions, the ones that the commits of *refs* (`A..B`) brought, or with
    *all_refs* those of all branches and tags.  *paths* narrow it to targets.  What is lacking is in
    `failed` by path, with the commit that brought it; a pointer that cannot be read is there too.

    Raises: NoRemoteError, UnknownRemoteError, NoSuchPathError, UnknownRevisionError, RemoteError.
    """
    start = repo.clock.monotonic()
    name = repo.remote_name(remote)
    check_refs(refs, all_refs=all_refs)
    is_range = refs is not None or all_refs
    chosen = _of_range(repo, paths, refs) if is_range else _of_head(repo, paths)
    # What an earlier command saw of the packs is no proof: they are listed now.
    bucket = repo.remote(name).bucket
    repo.remote(name).doubt_packs()
    requests = bucket.requests
    place = meet(repo, name)
    holdings = Holdings(ends_of(repo, place, jobs), progress)
    lacks = holdings.look(chosen.versions)
    lacking: list[LackingVersion] = []
    failed = [*chosen.failed, *dict.fromkeys(holdings.failed)]
    commits = _Commits(repo, chosen, refs, is_range=is_range)
    for version, lack in zip(chosen.versions, lacks, strict=True):
        if lack:
            commit = commits.of(version)
            lacking.append(_lacking(version, lack, commit))
            failed.append(_failure(version, lack, commit, name))
    return CheckResult(
        name,
        "--all" if all_refs else refs or "HEAD",
        len(chosen.versions),
        holdings.objects,
        tuple(lacking),
        bucket.requests - requests,
        repo.clock.monotonic() - start,
        failed=tuple(failed),
        warnings=tuple(chosen.warnings),
    )


def _of_head(repo: Repo, paths: Sequence[PathLike]) -> Selected:
    chosen = choose(repo, "HEAD", paths)
    found = Selected(failed=chosen.failed)
    for choice in chosen.choices:
        # A path inside a target stands for all of it: half a version cannot be restored.
        found.versions.append(replace(version_of(choice), scope=EVERYTHING))
    return found


def _of_range(repo: Repo, paths: Sequence[PathLike], refs: str | None) -> Selected:
    """Return the versions of a range; a tracked path that no commit of it touched is no mistake."""
    found = versions_of_commits(repo, (), refs)
    if not paths:
        return found
    seen = {v.target for v in found.versions} | {f.path for f in found.failed}
    gone = seen - {t.path for t in repo.targets()}
    targets = [*repo.targets(), *(Target(path, path + b".dv", "", "", "", None) for path in gone)]
    wanted = {s.target.path for s in select(targets, paths, repo.cwd, repo.top)}
    found.versions = [v for v in found.versions if v.target in wanted]
    found.failed = [f for f in found.failed if f.path in wanted]
    return found


class _Commits:
    """Who brought a version, asked of Git only where one is lacking."""

    def __init__(self, repo: Repo, chosen: Selected, refs: str | None, *, is_range: bool) -> None:
        self._repo, self._chosen, self._is_range = repo, chosen, is_range
        self._refs = [ALL] if refs is None else refs.split()
        self._rows: dict[tuple[bytes, str], str] | None = None

    def of(self, version: Version) -> CommitInfo | None:
        git = self._repo.git
        pointer_path = version.target + b".dv"
        try:
            if not self._is_range:
                return git.introduced(pointer_path, git.pointers_at("HEAD")[pointer_path])
            if self._rows is None:
                self._rows = {(path, blob): sha for path, blob, sha in git.pointer_blobs(self._refs)}
            blob = self._chosen.blobs[version.target, version.root_id]
            return git.commit_info(self._rows[pointer_path, blob])
        except (DataverError, KeyError):
            return None


def _lacking(version: Version, lack: Lack, commit: CommitInfo | None) -> LackingVersion:
    sha, author, subject = (commit.sha, commit.author, commit.subject) if commit else ("", "", "")
    return LackingVersion(version.target, sha, author, subject, lack.files, tuple(lack.paths))


def _failure(version: Version, lack: Lack, commit: CommitInfo | None, remote: str) -> Failure:
    if lack.paths:
        shown = ", ".join(show_path(path) for path in lack.paths[:_SHOWN])
        more = f" and {lack.files - _SHOWN} more" if lack.files > _SHOWN else ""
        files = "1 file is" if lack.files == 1 else f"{lack.files:,} files are"
        what = f"{files} not on {remote}: {shown}{more}"
    elif lack.files:
        files = "1 file" if version.files == 1 else f"{version.files:,} files"
        what = f"nothing of its {files} can be had from {remote}: the tree is not there"
    else:
        what = f"its tree is not on {remote}, or not all of it"
    where = f" (commit {commit.sha[:8]} by {commit.author}: {commit.subject})" if commit else ""
    whose = f", such as {commit.author}'s" if commit else ""
    hint = f"dataver push --all, in a clone that has the data{whose}"
    return NotPushedError(version.target, what + where, hint=hint).failure(version.target)
