"""`hooks`: let Git call dataver, and stop letting it."""

from __future__ import annotations

import os
from collections.abc import Callable

from dataver.disk.atomic import make_folders
from dataver.disk.disk import Disk
from dataver.errors import DataverError, Failure, ForeignHookError, show_path
from dataver.git.hooking import HooksPlace, hooks_place
from dataver.git.place import GitPlace
from dataver.model.guarding import HookInfo, HooksResult
from dataver.repo import Repo
from dataver.workspace.hookfiles import FOREIGN, HOOKS, HookFile, install, look_at, uninstall

_Change = Callable[[HookFile, Disk], HookFile]


def hooks_install(repo: Repo) -> HooksResult:
    """Put dataver's part into each of Git's hooks that it has something to do in; harmless where it is.

    A shell script that is there keeps everything it has; another kind of hook is left alone and
    named in `failed`, with what to call from it.

    Raises: ForeignHookError where `core.hooksPath` leads out of this repository, local errors.
    """
    where = hooks_place(repo.place)
    _check_own(where, repo.place)
    if not os.path.isdir(where.folder):
        make_folders(repo.disk, where.folder)
    return _changed(repo, where, install)


def hooks_uninstall(repo: Repo) -> HooksResult:
    """Take dataver's part out of Git's hooks; each file is then as it was before.

    Raises: ForeignHookError where `core.hooksPath` leads out of this repository, local errors.
    """
    where = hooks_place(repo.place)
    _check_own(where, repo.place)
    return _changed(repo, where, uninstall)


def hooks_status(repo: Repo) -> HooksResult:
    """Say where Git's hooks lie and what each one is; changes nothing.

    Raises: GitCommandError, local errors.
    """
    return look_at_hooks(repo.place)


def look_at_hooks(place: GitPlace) -> HooksResult:
    """Return what the hooks of the work tree at *place* are."""
    where = hooks_place(place)
    found = [look_at(where.folder, name, place.top) for name in HOOKS]
    return _result(place, where, [_info(each) for each in found], [])


def _changed(repo: Repo, where: HooksPlace, change: _Change) -> HooksResult:
    hooks: list[HookInfo] = []
    failed: list[Failure] = []
    for name in HOOKS:
        found = look_at(where.folder, name, repo.top)
        try:
            done = change(found, repo.disk)
        except DataverError as error:
            failed.append(error.failure())
            hooks.append(_info(found))
            continue
        hooks.append(_info(done, is_changed=done is not found))
    return _result(repo.place, where, hooks, failed)


def _info(found: HookFile, *, is_changed: bool = False) -> HookInfo:
    is_foreign = found.state == FOREIGN and not found.why
    hint = found.way_out or ("dataver hooks install" if is_foreign else "")
    return HookInfo(found.name, found.path, found.state, is_changed, found.why, hint)


def _result(place: GitPlace, where: HooksPlace, hooks: list[HookInfo], failed: list[Failure]) -> HooksResult:
    is_inside = _is_in(where.folder, place.top) and not _is_in(where.folder, place.common_dir)
    return HooksResult(where.folder, where.setting, is_inside, tuple(hooks), failed=tuple(failed))


def is_shared(where: HooksPlace, place: GitPlace) -> bool:
    """Tell whether the hooks lie outside of this repository, where others may use them too."""
    return not any(_is_in(where.folder, own) for own in (place.top, place.common_dir, place.git_dir))


def _check_own(where: HooksPlace, place: GitPlace) -> None:
    if is_shared(where, place):
        raise ForeignHookError(
            where.folder,
            f"outside of this repository (core.hooksPath, {where.scope} config), and others may use it too",
            hint='call dataver hook NAME "$@" from the hooks there, or give this repository its own: '
            f"git config --local core.hooksPath {show_path(place.common_dir)}/hooks",
        )


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
