"""`doctor`: what is wrong with a clone, and how to mend it.

Looks at everything by itself rather than through a `Repo`, which would set up what is missing,
and goes on past whatever is broken.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping

from dataver.disk.disk import Clock, Disk
from dataver.errors import DataverError, NoDataverError, NoGitError, UsageError
from dataver.git import Git, GitPlace, find_place
from dataver.git.program import Program
from dataver.index.state import State
from dataver.model.config import Config
from dataver.model.guarding import DoctorResult, HookInfo
from dataver.ops.doctor_cache import look_at_cache
from dataver.ops.doctor_remotes import look_at_remotes
from dataver.ops.doctor_targets import look_at_targets
from dataver.ops.findings import Findings
from dataver.ops.hooks import look_at_hooks
from dataver.progress import SILENT, Progress
from dataver.repo import CONFIG_FILE
from dataver.workspace import gitfiles, local
from dataver.workspace.hookfiles import BY_HAND, INSTALLED, MISSING, OUTDATED, install, look_at

_OLDEST_GIT = (2, 26)


def doctor(
    start: str = ".",
    *,
    offline: bool = False,
    fix: bool = False,
    overrides: Mapping[str, str] | None = None,
    progress: Progress = SILENT,
) -> DoctorResult:
    """Say what is wrong with the clone that the folder *start* lies in; changes nothing unless *fix*.

    With *offline* no remote is asked.  *fix* mends what can be mended without any risk: Git's
    drivers and attributes, ignore lines, dataver's part of hooks that hold an older one.  What is
    broken keeps nothing else from being looked at; problems are in `failed`, too.
    """
    found = Findings()
    disk = Disk()
    _look_at_versions(found)
    try:
        place = find_place(start)
    except NoGitError as error:
        found.problem("repository", error)
        return DoctorResult("", tuple(found.rows), failed=tuple(found.failed))
    git = Git(place.top, place)
    if not os.path.isfile(f"{place.top}/{CONFIG_FILE}"):
        found.problem("repository", NoDataverError(place.top))
        return DoctorResult(place.top, tuple(found.rows), failed=tuple(found.failed))
    _look_at_drivers(found, git, disk, fix=fix)
    _look_at_hooks(found, place, disk, fix=fix)
    config = _config(found, place, overrides or {})
    look_at_targets(found, git, place, disk, fix=fix)
    if config is not None:
        look_at_cache(found, config, place, clock=Clock())
        look_at_remotes(found, config, place, disk, is_offline=offline, progress=progress)
    return DoctorResult(place.top, tuple(found.rows), failed=tuple(found.failed))


class _NoState(State):
    """Keeps nothing: who only looks leaves no trace."""

    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, value: bytes | None) -> None:
        return


def _config(found: Findings, place: GitPlace, overrides: Mapping[str, str]) -> Config | None:
    common = f"{place.common_dir}/dataver"
    try:
        config = local.load_config(place.top, common, overrides, _NoState(""))
    except DataverError as error:
        found.problem("settings", error)
        return None
    found.ok("settings", f"{len(config.values)} set")
    try:
        secret = local.load_secret(common)
    except DataverError as error:
        found.problem("secret", error)
    else:
        found.ok("secret", "here" if secret else "not here yet: it comes with the first pull or push")
    return config


def _look_at_versions(found: Findings) -> None:
    import dataver  # only for its version; the package's top is above this room

    here = f"{platform.system()} {platform.release()} ({platform.machine()})"
    found.ok("dataver", f"{dataver.__version__}, Python {sys.version.split()[0]}, {here}")
    try:
        said = os.fsdecode(Program(os.sep).ask("version").strip()).removeprefix("git version ")
    except DataverError as error:
        found.problem("git", error)
        return
    number = re.match(r"(\d+)\.(\d+)", said)
    if number is None or (int(number[1]), int(number[2])) < _OLDEST_GIT:
        hint = "install a newer git: https://git-scm.com/downloads"
        found.problem("git", UsageError(f"git {said} is older than 2.26", hint=hint))
    else:
        found.ok("git", said)


def _look_at_drivers(found: Findings, git: Git, disk: Disk, *, fix: bool) -> None:
    """Look at what makes `git diff` and `git merge` understand pointers."""
    try:
        wrong = [(key, value) for key, value in gitfiles.DRIVERS if git.config_get(key) != value]
        if wrong and fix:
            for key, value in wrong:
                git.config_set(key, value)
            found.mended("drivers", "git's diff and merge drivers are set up now")
        elif wrong:
            keys = ", ".join(key for key, _ in wrong)
            found.warn("drivers", f"not set up in git's config: {keys}", "dataver doctor --fix")
        else:
            found.ok("drivers", "git diff and git merge understand pointers")
        said = Program(git.top).ask("check-attr", "-z", "diff", "merge", "--", "x.dv").split(b"\0")
        if said[2::3] == [b"dataver", b"dataver"]:
            found.ok("attributes", ".gitattributes names the drivers")
        elif fix:
            gitfiles.add_line(git.top, b".gitattributes", gitfiles.ATTRIBUTES_LINE, disk)
            git.stage([b".gitattributes"], force=True)
            found.mended("attributes", "the line for pointers is in .gitattributes now, and staged")
        else:
            found.warn("attributes", ".gitattributes does not name the drivers", "dataver doctor --fix")
    except DataverError as error:
        found.problem("drivers", error)


def _look_at_hooks(found: Findings, place: GitPlace, disk: Disk, *, fix: bool) -> None:
    try:
        result = look_at_hooks(place)
        hooks = list(result.hooks)
        if all(h.state in (MISSING, "foreign") for h in hooks):
            found.ok("hooks", "none calls dataver; if you want that: dataver hooks install")
            return
        for hook in hooks:
            if fix and hook.state == OUTDATED:
                install(look_at(result.folder, hook.name, place.top), disk)
                found.mended("hooks", f"{hook.name} is the present one now")
            elif hook.state not in (INSTALLED, BY_HAND):
                found.warn("hooks", f"{hook.name} is {_state_of(hook)}", hook.hint or "dataver hooks install")
        if all(h.state in (INSTALLED, BY_HAND) for h in hooks):
            found.ok("hooks", f"all call dataver ({result.folder})")
    except DataverError as error:
        found.problem("hooks", error)


def _state_of(hook: HookInfo) -> str:
    if hook.state == "foreign":
        return "there and does not call dataver" + (f" ({hook.note})" if hook.note else "")
    words = {MISSING: "not installed", OUTDATED: "from an older dataver", "disabled": hook.note}
    return words[hook.state]
