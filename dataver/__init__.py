"""Versions of data beside Git: the public interface, and nothing else is promised.

    import dataver

    with dataver.Repo.open() as repo:
        dataver.add(repo, ["data"])
        for target in dataver.status(repo).targets:
            print(target.path, target.state)

    with dataver.open("data/train.csv", rev="v1") as file:
        first = file.readline()

Names are loaded when they are first used (PEP 562): `import dataver` alone costs next to nothing.

Longer than 300 lines because every public name stands in it three times: typed, promised, found.
"""

from __future__ import annotations

from importlib import import_module
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from dataver.errors import (
        AccessDeniedError,
        BucketNotFoundError,
        CannotSeeError,
        ChangedWhileReadError,
        ClockSkewError,
        ConfigError,
        ConflictError,
        CorruptObjectError,
        DataverError,
        DeniedContentError,
        DiskFullError,
        ErasedError,
        ErasureIncompleteError,
        ErasureQuestionError,
        ExpiredCredentialsError,
        Failure,
        ForeignHookError,
        FormatError,
        GitCommandError,
        HeldError,
        HostileInputError,
        IntegrityError,
        LocalIOError,
        LocksUnsupportedError,
        LockTimeoutError,
        MissingExtraError,
        MissingObjectError,
        MissingTablesError,
        NoCredentialsError,
        NoDataverError,
        NoGitError,
        NoRemoteError,
        NoSuchPathError,
        NotAddedError,
        NotARemoteError,
        NotPushedError,
        OfflineError,
        OldLogError,
        PermissionDeniedError,
        PurgeRefusedError,
        ReceiptRefusedError,
        RemoteError,
        RemoteStateError,
        RowsLeftError,
        ShallowHistoryError,
        SharedContentError,
        SignatureRefusedError,
        StillPresentError,
        TlsError,
        TrackedByGitError,
        UnknownErasureError,
        UnknownRemoteError,
        UnknownRevisionError,
        UnknownSchemeError,
        UnprovenError,
        UnreadableTableError,
        UnsafeError,
        UnsafeFileError,
        UnsupportedError,
        UnsupportedTargetError,
        UsageError,
        WouldOverwriteError,
        WrongEndpointError,
        WrongRegionError,
        show_bytes,
        show_path,
    )
    from dataver.model.diff import Change, FolderChange
    from dataver.model.guarding import (
        CheckResult,
        Collected,
        Damage,
        DoctorResult,
        Finding,
        GcResult,
        HookInfo,
        HooksResult,
        LackingVersion,
        LoggedCommit,
        LoggedTarget,
        LogResult,
        PreCommitResult,
        ResolvedTarget,
        ResolveResult,
        Unadded,
        VerifiedPlace,
        VerifyResult,
    )
    from dataver.model.merge import Conflict
    from dataver.model.names import format_oid
    from dataver.model.purging import (
        AuditFinding,
        CloneReport,
        ErasureReport,
        HoldInfo,
        HoldResult,
        ImpactedPath,
        ImpactResult,
        PlannedFile,
        PlannedRemote,
        PurgeApproveResult,
        PurgeAuditResult,
        PurgeListResult,
        PurgePlanResult,
        PurgeRunResult,
        PurgeScanResult,
        PurgeShowResult,
        PurgeVerifyResult,
        RemoteReport,
        Residue,
        ScanHit,
        SharedContent,
        SignersResult,
    )
    from dataver.model.result import Result
    from dataver.model.results import (
        AddedTarget,
        AddResult,
        CheckedOutTarget,
        CheckoutResult,
        ConfigListResult,
        ConfigValue,
        DiffResult,
        FetchResult,
        InitResult,
        ListedEntry,
        ListResult,
        MoveResult,
        PullResult,
        PushResult,
        RemoteAddResult,
        RemoteInfo,
        RemoteListResult,
        RemoteStatsResult,
        RequestEstimate,
        Stored,
        TargetDiff,
        UntrackResult,
    )
    from dataver.model.status import StatusResult, TargetStatus
    from dataver.model.tree import Entry
    from dataver.ops.add import add
    from dataver.ops.cat import cat
    from dataver.ops.check import check
    from dataver.ops.checkout import checkout
    from dataver.ops.configure import config_get, config_list, config_set, config_unset
    from dataver.ops.diff import diff
    from dataver.ops.doctor import doctor
    from dataver.ops.fetch import fetch
    from dataver.ops.gc import gc, gc_forget, gc_undo
    from dataver.ops.gc_remote import gc_remote
    from dataver.ops.gitdrivers import diff_text as git_diff
    from dataver.ops.gitdrivers import merge as git_merge
    from dataver.ops.hold import hold_add, hold_list, hold_release
    from dataver.ops.hooks import hooks_install, hooks_status, hooks_uninstall
    from dataver.ops.impact import impact
    from dataver.ops.init import init
    from dataver.ops.log import log
    from dataver.ops.ls import ls
    from dataver.ops.mv import mv
    from dataver.ops.post_checkout import git_post_checkout
    from dataver.ops.pre_commit import git_pre_commit
    from dataver.ops.pre_push import git_pre_push
    from dataver.ops.pull import pull
    from dataver.ops.purge_audit import purge_audit
    from dataver.ops.purge_close import purge_close
    from dataver.ops.purge_lift import purge_lift
    from dataver.ops.purge_plan import purge_plan
    from dataver.ops.purge_report import purge_list, purge_show, purge_verify
    from dataver.ops.purge_run import purge_resume, purge_run, purge_sweep
    from dataver.ops.purge_scan import purge_scan
    from dataver.ops.purge_sign import approval_text, purge_approve, purge_signers
    from dataver.ops.push import push
    from dataver.ops.remote_stats import remote_stats
    from dataver.ops.remotes import (
        remote_add,
        remote_default,
        remote_list,
        remote_remove,
        remote_rename,
        remote_set,
    )
    from dataver.ops.resolve import resolve
    from dataver.ops.status import status
    from dataver.ops.textconv import summary_text as git_textconv
    from dataver.ops.untrack import untrack
    from dataver.ops.verify import verify
    from dataver.progress import SILENT, Progress, Task
    from dataver.repo import Repo

__version__ = "0.1.0"

# fmt: off
__all__ = [
    "__version__", "Repo",
    "init", "add", "status", "diff", "checkout", "untrack", "ls", "cat", "open", "path", "mv",
    "log", "resolve",
    "push", "fetch", "pull", "verify", "VerifyResult", "VerifiedPlace", "Damage",
    "gc", "gc_undo", "gc_forget", "gc_remote", "GcResult", "Collected", "UnprovenError",
    "remote_add", "remote_list", "remote_remove", "remote_rename", "remote_set", "remote_default",
    "remote_stats", "RemoteStatsResult", "RequestEstimate", "Stored",
    "config_list", "config_get", "config_set", "config_unset",
    "purge_plan", "purge_approve", "purge_run", "purge_resume", "purge_verify", "purge_show", "purge_close",
    "purge_lift",
    "purge_list", "purge_sweep", "purge_scan", "purge_audit", "purge_signers",
    "approval_text", "impact",
    "hold_add", "hold_list", "hold_release",
    "PurgePlanResult", "PlannedFile", "PlannedRemote", "SharedContent", "Residue",
    "PurgeApproveResult", "PurgeRunResult", "PurgeVerifyResult", "PurgeShowResult", "PurgeListResult",
    "ErasureReport", "RemoteReport", "CloneReport", "PurgeScanResult", "ScanHit",
    "PurgeAuditResult", "AuditFinding", "SignersResult", "ImpactResult", "ImpactedPath",
    "HoldResult", "HoldInfo",
    "check", "doctor", "hooks_install", "hooks_uninstall", "hooks_status",
    "git_diff", "git_textconv", "git_merge",
    "git_post_checkout", "git_pre_commit", "git_pre_push",
    "Result", "InitResult", "AddResult", "AddedTarget", "StatusResult", "TargetStatus", "DiffResult",
    "TargetDiff", "CheckoutResult", "CheckedOutTarget", "UntrackResult", "ListResult", "ListedEntry",
    "MoveResult", "PushResult", "FetchResult", "PullResult", "RemoteAddResult", "RemoteListResult",
    "RemoteInfo", "ConfigListResult", "ConfigValue",
    "LogResult", "LoggedCommit", "LoggedTarget", "ResolveResult", "ResolvedTarget", "Conflict",
    "CheckResult", "LackingVersion", "DoctorResult", "Finding", "HooksResult", "HookInfo",
    "PreCommitResult", "Unadded",
    "Change", "FolderChange", "Entry", "Failure", "format_oid", "show_path", "show_bytes",
    "Progress", "Task", "SILENT",
    "DataverError", "UsageError", "NoGitError", "NoDataverError", "ConfigError", "NoRemoteError",
    "UnknownRemoteError", "MissingExtraError", "UnknownSchemeError", "NoSuchPathError",
    "UnknownRevisionError", "ShallowHistoryError", "GitCommandError", "UnsupportedError",
    "UnsupportedTargetError", "IntegrityError", "FormatError", "CorruptObjectError", "MissingObjectError",
    "RemoteStateError", "RemoteError", "NoCredentialsError", "BucketNotFoundError", "AccessDeniedError",
    "ExpiredCredentialsError", "WrongRegionError", "WrongEndpointError", "ClockSkewError", "TlsError",
    "OfflineError", "NotARemoteError", "LockTimeoutError", "UnsafeError", "HostileInputError",
    "LocksUnsupportedError", "UnsafeFileError", "TrackedByGitError", "WouldOverwriteError", "ConflictError",
    "ForeignHookError", "NotPushedError", "NotAddedError",
    "ChangedWhileReadError", "LocalIOError", "PermissionDeniedError", "DiskFullError",
    "DeniedContentError", "SignatureRefusedError", "ReceiptRefusedError", "SharedContentError", "HeldError",
    "PurgeRefusedError", "ErasureIncompleteError", "StillPresentError", "CannotSeeError",
    "UnknownErasureError", "ErasureQuestionError", "ErasedError", "OldLogError", "UnreadableTableError",
    "RowsLeftError", "MissingTablesError",
]
# fmt: on

_NAMES: dict[str, str] = {
    "dataver.repo": "Repo",
    "dataver.ops.init": "init",
    "dataver.ops.add": "add",
    "dataver.ops.status": "status",
    "dataver.ops.diff": "diff",
    "dataver.ops.checkout": "checkout",
    "dataver.ops.untrack": "untrack",
    "dataver.ops.verify": "verify",
    "dataver.ops.gc": "gc gc_undo gc_forget",
    "dataver.ops.gc_remote": "gc_remote",
    "dataver.ops.ls": "ls",
    "dataver.ops.cat": "cat",
    "dataver.ops.mv": "mv",
    "dataver.ops.log": "log",
    "dataver.ops.resolve": "resolve",
    "dataver.model.merge": "Conflict",
    "dataver.ops.push": "push",
    "dataver.ops.fetch": "fetch",
    "dataver.ops.pull": "pull",
    "dataver.ops.remotes": "remote_add remote_list remote_remove remote_rename remote_set remote_default",
    "dataver.ops.remote_stats": "remote_stats",
    "dataver.ops.configure": "config_list config_get config_set config_unset",
    "dataver.ops.gitdrivers": "git_diff=diff_text git_merge=merge",
    "dataver.ops.post_checkout": "git_post_checkout",
    "dataver.ops.pre_commit": "git_pre_commit",
    "dataver.ops.pre_push": "git_pre_push",
    "dataver.ops.purge_plan": "purge_plan",
    "dataver.ops.purge_run": "purge_run purge_resume purge_sweep",
    "dataver.ops.purge_report": "purge_verify purge_show purge_list",
    "dataver.ops.purge_close": "purge_close",
    "dataver.ops.purge_lift": "purge_lift",
    "dataver.ops.purge_sign": "purge_approve purge_signers approval_text",
    "dataver.ops.purge_scan": "purge_scan",
    "dataver.ops.purge_audit": "purge_audit",
    "dataver.ops.impact": "impact",
    "dataver.ops.hold": "hold_add hold_list hold_release",
    "dataver.ops.hooks": "hooks_install hooks_uninstall hooks_status",
    "dataver.ops.check": "check",
    "dataver.ops.doctor": "doctor",
    "dataver.ops.textconv": "git_textconv=summary_text",
    "dataver.model.results": (
        "InitResult AddResult AddedTarget DiffResult TargetDiff "
        "CheckoutResult CheckedOutTarget UntrackResult ListResult ListedEntry MoveResult PushResult "
        "FetchResult PullResult RemoteAddResult RemoteListResult RemoteInfo ConfigListResult ConfigValue "
        "RemoteStatsResult RequestEstimate Stored"
    ),
    "dataver.model.guarding": (
        "VerifyResult VerifiedPlace Damage GcResult Collected "
        "CheckResult DoctorResult Finding HookInfo HooksResult LackingVersion LogResult "
        "LoggedCommit LoggedTarget PreCommitResult ResolveResult ResolvedTarget Unadded"
    ),
    "dataver.model.purging": (
        "PurgePlanResult PlannedFile PlannedRemote SharedContent Residue PurgeApproveResult PurgeRunResult "
        "PurgeVerifyResult PurgeShowResult PurgeListResult ErasureReport RemoteReport CloneReport "
        "PurgeScanResult ScanHit PurgeAuditResult AuditFinding SignersResult ImpactResult ImpactedPath "
        "HoldResult HoldInfo"
    ),
    "dataver.model.result": "Result",
    "dataver.model.status": "StatusResult TargetStatus",
    "dataver.model.diff": "Change FolderChange",
    "dataver.model.tree": "Entry",
    "dataver.model.names": "format_oid",
    "dataver.progress": "Progress Task SILENT",
    "dataver.errors": (
        "Failure show_path show_bytes DataverError UsageError NoGitError NoDataverError ConfigError "
        "NoRemoteError UnknownRemoteError MissingExtraError UnknownSchemeError NoSuchPathError "
        "UnknownRevisionError ShallowHistoryError GitCommandError UnsupportedError UnsupportedTargetError "
        "IntegrityError FormatError CorruptObjectError MissingObjectError RemoteStateError RemoteError "
        "NoCredentialsError BucketNotFoundError AccessDeniedError "
        "ExpiredCredentialsError WrongRegionError WrongEndpointError ClockSkewError TlsError OfflineError "
        "NotARemoteError "
        "LockTimeoutError UnsafeError HostileInputError UnsafeFileError TrackedByGitError "
        "WouldOverwriteError ConflictError ChangedWhileReadError LocalIOError PermissionDeniedError "
        "LocksUnsupportedError ForeignHookError NotPushedError NotAddedError "
        "DiskFullError DeniedContentError SignatureRefusedError UnprovenError ReceiptRefusedError "
        "SharedContentError HeldError PurgeRefusedError ErasureIncompleteError StillPresentError "
        "CannotSeeError UnknownErasureError ErasureQuestionError ErasedError OldLogError "
        "UnreadableTableError RowsLeftError MissingTablesError"
    ),
}
"""Which names live in which module; `a=b` is called `b` there."""

_HOMES = {
    name.partition("=")[0]: (module, name.rpartition("=")[2])
    for module, names in _NAMES.items()
    for name in names.split()
}


def open(  # noqa: A001 - `dataver.open` is to data what `open` is to files
    path: str | os.PathLike[str], rev: str | None = None, mode: str = "rb"
) -> IO[bytes] | IO[str]:
    """Open the tracked file *path* for reading, as it is in the revision *rev*.

    Without *rev* the pointer in the work tree says which version; a file that is not checked out
    is read from the cache, and from the remote where the cache lacks it.  *mode* is `rb`, or `r`
    for UTF-8 text.  What comes out was hashed against the pointer.
    """
    if mode not in ("r", "rb"):
        raise ValueError(f"mode is 'r' or 'rb', not {mode!r}")
    # Imported here because `import dataver` alone stays free of what a Repo stands on.
    import io

    from dataver.ops.cat import open_file
    from dataver.repo import Repo

    folder, inner = _place_of(path)
    with Repo.open(folder) as repo:
        file = open_file(repo, inner, rev)
    return io.TextIOWrapper(file, encoding="utf-8") if mode == "r" else file


def path(path: str | os.PathLike[str], rev: str | None = None) -> Path:
    """Return a local, verified file with the content that the tracked file *path* has in *rev*.

    For libraries that want a file name.  Read it only: it may be the cache's own copy.
    """
    # Imported here because `import dataver` alone stays free of what a Repo stands on.
    import pathlib

    from dataver.ops.cat import local_path
    from dataver.repo import Repo

    folder, inner = _place_of(path)
    with Repo.open(folder) as repo:
        return pathlib.Path(local_path(repo, inner, rev))


def _place_of(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Return the innermost folder above *path* that exists, and the path from there."""
    import os.path  # for typing only at the top: `os` is loaded already, but it is no public name

    whole = os.path.abspath(path)
    folder = os.path.dirname(whole)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder, os.path.relpath(whole, folder)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, there = _HOMES[name]
    value: object = getattr(import_module(module), there)
    globals()[name] = value  # the next use finds it without this function
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
