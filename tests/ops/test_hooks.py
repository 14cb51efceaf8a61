"""`hooks`: what goes into Git's hook files, what is left alone, and that all of it can be undone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dataver.errors import ForeignHookError
from dataver.model.guarding import HooksResult
from dataver.ops.hooks import hooks_install, hooks_status, hooks_uninstall
from dataver.ops.init import init
from dataver.repo import Repo
from dataver.workspace.hookfiles import HOOKS
from tests.ops.exchange_bench import git


@pytest.fixture
def top(git_repo: Path) -> Path:
    init(str(git_repo))
    return git_repo


def _install(top: Path) -> HooksResult:
    with Repo.open(str(top)) as repo:
        return hooks_install(repo)


def _uninstall(top: Path) -> HooksResult:
    with Repo.open(str(top)) as repo:
        return hooks_uninstall(repo)


def _states(top: Path) -> dict[str, str]:
    with Repo.open(str(top)) as repo:
        return {hook.name: hook.state for hook in hooks_status(repo).hooks}


def _hook(top: Path, text: str | bytes, name: str = "pre-push", *, mode: int = 0o755) -> Path:
    """Write a hook of the user's own."""
    path = top / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def _own_hooks(top: Path) -> list[str]:
    folder = top / ".git" / "hooks"
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".sample")


def test_install_makes_an_executable_file_for_each_hook(top: Path) -> None:
    done = _install(top)

    assert [hook.state for hook in done.hooks] == ["installed"] * len(HOOKS)
    assert all(os.access(top / ".git" / "hooks" / name, os.X_OK) for name in HOOKS)


def test_a_second_install_writes_nothing(top: Path) -> None:
    _install(top)

    done = _install(top)

    assert not any(hook.changed for hook in done.hooks)


def test_uninstall_leaves_no_file_that_install_made(top: Path) -> None:
    before = _own_hooks(top)
    _install(top)

    _uninstall(top)

    assert _own_hooks(top) == before


SCRIPTS = [
    "#!/bin/sh\necho mine\n",
    "#!/usr/bin/env bash\nset -eu\nwhile read -r a b c d; do echo $a; done\nexit 0",
    "#!/bin/bash -e",
    "#!/bin/sh\n",
    "#! /bin/dash\n\n\n",
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_shell_script_gets_its_bytes_back(top: Path, script: str) -> None:
    hook = _hook(top, script, mode=0o750)

    _install(top)
    is_in = b"dataver hook pre-push" in hook.read_bytes()
    _uninstall(top)

    assert (is_in, hook.read_text(), hook.stat().st_mode & 0o777) == (True, script, 0o750)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_chained_script_is_sound_for_the_shell(top: Path, script: str) -> None:
    hook = _hook(top, script)

    _install(top)

    done = subprocess.run(["sh", "-n", str(hook)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_block_stands_before_what_may_end_the_script(top: Path) -> None:
    hook = _hook(top, "#!/bin/sh\nexec true\n")

    _install(top)

    text = hook.read_text()
    assert text.index("dataver hook pre-push") < text.index("exec true")


def test_what_a_person_wrote_behind_the_block_stays(top: Path) -> None:
    _install(top)
    hook = top / ".git" / "hooks" / "pre-push"
    hook.write_text(hook.read_text() + "echo more\n")

    _uninstall(top)

    assert hook.read_text() == "#!/bin/sh\necho more\n"


def test_an_older_block_is_brought_up_to_date(top: Path) -> None:
    _install(top)
    hook = top / ".git" / "hooks" / "post-merge"
    present = hook.read_text()
    hook.write_text(present.replace("|| :", "|| true"))
    before = _states(top)["post-merge"]

    _install(top)

    assert (before, hook.read_text()) == ("outdated", present)


@pytest.mark.parametrize(
    "content",
    [
        b"#!/usr/bin/env python3\nprint()\n",
        b"\x7fELF\0\1",
        b"echo no first line\n",
        b"#!/bin/sh\n" + b"#" * (1 << 20),
    ],
)
def test_another_kind_of_hook_is_left_alone_and_told_what_to_call(top: Path, content: bytes) -> None:
    hook = _hook(top, content)

    done = _install(top)

    assert hook.read_bytes() == content
    assert [(f.code, 'dataver hook pre-push "$@"' in f.hint) for f in done.failed] == [("foreign-hook", True)]


def test_one_foreign_hook_keeps_no_other_from_being_installed(top: Path) -> None:
    _hook(top, b"#!/usr/bin/env python3\n")

    _install(top)

    assert _states(top) == dict.fromkeys(HOOKS, "installed") | {"pre-push": "foreign"}


def test_a_symlink_is_not_written_through(top: Path) -> None:
    script = top / "shared.sh"
    script.write_text("#!/bin/sh\n")
    (top / ".git" / "hooks").mkdir(exist_ok=True)
    (top / ".git" / "hooks" / "pre-push").symlink_to(script)

    done = _install(top)

    assert (script.read_text(), [f.code for f in done.failed]) == ("#!/bin/sh\n", ["foreign-hook"])


def test_a_hook_that_its_owner_switched_off_stays_off(top: Path) -> None:
    hook = _hook(top, "#!/bin/sh\necho off\n", mode=0o644)

    done = _install(top)

    assert (hook.read_text(), [f.hint.split()[0] for f in done.failed]) == (
        "#!/bin/sh\necho off\n",
        ["chmod"],
    )


def test_a_hook_of_ours_that_git_would_not_run_is_disabled(top: Path) -> None:
    _install(top)
    (top / ".git" / "hooks" / "pre-push").chmod(0o644)

    assert _states(top)["pre-push"] == "disabled"


@pytest.mark.parametrize(
    ("line", "state"), [("run('dataver hook pre-push')", "by-hand"), ("# dataver hook pre-push", "foreign")]
)
def test_a_hook_that_calls_dataver_by_hand_is_known(top: Path, line: str, state: str) -> None:
    _hook(top, f"#!/usr/bin/env python3\n{line}\n")

    assert _states(top)["pre-push"] == state


def test_beside_pre_commit_the_hook_is_what_that_one_runs_first(top: Path) -> None:
    mine = "#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\n"
    hook = _hook(top, mine)

    _install(top)

    legacy = hook.with_name("pre-push.legacy")
    assert (hook.read_text(), b"dataver hook pre-push" in legacy.read_bytes()) == (mine, True)


def test_lefthook_is_told_what_to_run(top: Path) -> None:
    _hook(top, '#!/bin/sh\ncall_lefthook() { :; }\ncall_lefthook run "pre-push" "$@"\n')

    done = _install(top)

    assert [("lefthook.yml" in f.hint, "use_stdin" in f.hint) for f in done.failed] == [(True, True)]


def test_husky_is_told_which_line_to_add(top: Path) -> None:
    folder = top / ".husky" / "_"
    folder.mkdir(parents=True)
    (folder / "pre-push").write_text('#!/usr/bin/env sh\n. "$(dirname "$0")/h"\n')
    (folder / "pre-push").chmod(0o755)
    git(top, "config", "core.hooksPath", ".husky/_")

    done = _install(top)

    assert [f.hint for f in done.failed] == ["echo 'dataver hook pre-push \"$@\"' >> .husky/pre-push"]


def test_a_line_in_huskys_own_script_counts(top: Path) -> None:
    folder = top / ".husky" / "_"
    folder.mkdir(parents=True)
    (folder / "pre-push").write_text('#!/usr/bin/env sh\n. "$(dirname "$0")/h"\n')
    git(top, "config", "core.hooksPath", ".husky/_")
    (top / ".husky" / "pre-push").write_text('dataver hook pre-push "$@"\n')

    assert _states(top)["pre-push"] == "by-hand"


@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_a_relative_hooks_path_counts_from_the_top_of_the_work_tree(top: Path, scope: str) -> None:
    git(top, "config", scope, "core.hooksPath", ".githooks")

    done = _install(top)

    assert (done.folder, done.setting, done.is_in_worktree) == (str(top / ".githooks"), ".githooks", True)
    assert sorted(p.name for p in (top / ".githooks").iterdir()) == sorted(HOOKS)


def test_hooks_that_other_repositories_share_are_refused(top: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    git(top, "config", "--global", "core.hooksPath", str(tmp_path / "shared"))

    with pytest.raises(ForeignHookError) as caught:
        _install(top)

    assert (list((tmp_path / "shared").iterdir()), "core.hooksPath" in caught.value.hint) == ([], True)


def test_the_way_out_of_shared_hooks_works(top: Path, tmp_path: Path) -> None:
    git(top, "config", "--global", "core.hooksPath", str(tmp_path))
    with pytest.raises(ForeignHookError) as caught:
        _install(top)

    subprocess.run(["sh", "-c", caught.value.hint.rpartition(": ")[2]], cwd=top, check=True)

    assert all(hook.changed for hook in _install(top).hooks)


def test_a_linked_work_tree_has_the_hooks_of_its_repository(top: Path) -> None:
    git(top, "commit", "-q", "-m", "Begin")
    git(top, "worktree", "add", "-q", "../linked")

    done = _install(top.parent / "linked")

    assert done.folder == str(top / ".git" / "hooks")
