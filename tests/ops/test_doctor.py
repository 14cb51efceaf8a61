"""`doctor`: what can be wrong with a clone is found, named and left alone; `--fix` mends what is safe."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dataver.model.guarding import DoctorResult
from dataver.ops.doctor import doctor
from dataver.ops.hooks import hooks_install
from dataver.ops.push import push
from dataver.repo import Repo
from tests.ops.exchange_bench import clone, git, new_project, packs


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    top = new_project(tmp_path / "churn")
    with Repo.open(str(top)) as repo:
        push(repo)
    return top


def _look(top: Path) -> DoctorResult:
    return doctor(str(top))


def _odd(done: DoctorResult) -> list[tuple[str, str]]:
    return [(f.topic, f.state) for f in done.findings if f.state != "ok"]


def _said(done: DoctorResult, topic: str) -> str:
    return "; ".join(f"{f.message} [{f.hint}]" for f in done.findings if f.topic == topic)


def _picture(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(p): (p.lstat().st_mode, p.read_bytes() if p.is_file() else b"") for p in sorted(folder.rglob("*"))
    }


def test_nothing_is_wrong_with_a_fresh_project(pushed: Path) -> None:
    done = _look(pushed)

    assert (_odd(done), done.exit_status, done.top) == ([], 0, str(pushed))


def test_a_fresh_clone_lacks_only_the_drivers(pushed: Path) -> None:
    done = _look(clone(pushed, "fresh"))

    assert (_odd(done), done.exit_status) == ([("drivers", "warning")], 0)


def test_looking_changes_nothing_here_or_on_the_remote(pushed: Path) -> None:
    there = clone(pushed, "fresh")
    git(there, "status")
    before = _picture(pushed.parent)

    _look(there)

    assert _picture(pushed.parent) == before


def test_outside_of_a_repository_it_says_so(tmp_path: Path) -> None:
    done = _look(tmp_path)

    assert (done.top, [f.code for f in done.failed], done.exit_status) == ("", ["no-git"], 2)


def test_a_repository_without_dataver_is_a_problem(git_repo: Path) -> None:
    done = _look(git_repo)

    assert ([f.code for f in done.failed], done.exit_status) == (["no-dataver"], 2)


# -- one thing wrong at a time


def _conflict(top: Path) -> None:
    git(top, "switch", "-q", "-c", "side")
    for branch in ("side", "main"):
        git(top, "switch", "-q", branch)
        text = (top / "data.dv").read_text()
        (top / "data.dv").write_text(text.replace("tree", f"{branch} tree", 1) + f"# {branch}\n")
        git(top, "commit", "-qam", branch)
    git(top, "config", "merge.dataver.driver", "false")
    subprocess.run(["git", "merge", "-q", "side"], cwd=top, capture_output=True, check=False)
    git(top, "config", "merge.dataver.driver", "dataver git-merge %O %A %B %P")


def _break_config(top: Path) -> None:
    (top / ".git" / "dataver" / "config.toml").write_text("nonsense = 1\n")


def _break_pointer(top: Path) -> None:
    (top / "data.dv").write_text("no pointer\n")


def _track_data(top: Path) -> None:
    git(top, "add", "-f", "data/a.txt")


def _cache_is_a_file(top: Path) -> None:
    (top.parent / "file").write_text("")
    (top / ".git" / "dataver" / "config.toml").write_text(f'[cache]\ndir = "{top.parent}/file"\n')


def _break_secret(top: Path) -> None:
    (top / ".git" / "dataver" / "keys.toml").write_text("nonsense\n")


def _other_secret(top: Path) -> None:
    path = top / ".git" / "dataver" / "keys.toml"
    path.unlink()
    from dataver.disk.disk import Disk
    from dataver.workspace.local import new_secret, save_secret

    save_secret(str(path.parent), new_secret(), Disk())


def _no_remote(top: Path) -> None:
    (top.parent / "store").rename(top.parent / "away")


def _other_remote(top: Path) -> None:
    text = (top / ".dataver" / "config.toml").read_text()
    pinned = text.split('id = "')[1][:32]
    (top / ".dataver" / "config.toml").write_text(text.replace(pinned, "0" * 32))


PROBLEMS: list[tuple[Callable[[Path], None], str, int]] = [
    (_break_config, "settings", 2),
    (_break_pointer, "pointers", 3),
    (_conflict, "pointers", 6),
    (_track_data, "pointers", 6),
    (_cache_is_a_file, "cache", 7),
    (_break_secret, "secret", 3),
    (_other_secret, "remote origin", 6),
    (_no_remote, "remote origin", 4),
    (_other_remote, "remote origin", 4),
]


@pytest.mark.parametrize(("spoil", "topic", "status"), PROBLEMS)
def test_a_problem_is_found_and_decides_the_exit_status(
    pushed: Path, spoil: Callable[[Path], None], topic: str, status: int
) -> None:
    spoil(pushed)

    done = _look(pushed)

    problems = [f.topic for f in done.findings if f.state == "problem"]
    assert (topic in problems, done.exit_status) == (True, status)


@pytest.mark.parametrize(("spoil", "topic", "status"), PROBLEMS)
def test_a_problem_keeps_the_rest_from_nothing(
    pushed: Path, spoil: Callable[[Path], None], topic: str, status: int
) -> None:
    spoil(pushed)

    done = _look(pushed)

    assert {"git", "drivers", "hooks", "pointers", "secret"} - {f.topic for f in done.findings} <= {"secret"}


def _no_attributes(top: Path) -> None:
    (top / ".gitattributes").write_text("")


def _no_ignore_line(top: Path) -> None:
    (top / ".gitignore").write_text("")


def _drivers(top: Path) -> None:
    git(top, "config", "merge.dataver.driver", "true")


def _hooks_half(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        hooks_install(repo)
    (top / ".git" / "hooks" / "pre-push").unlink()


def _hooks_old(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        hooks_install(repo)
    hook = top / ".git" / "hooks" / "pre-push"
    hook.write_text(hook.read_text().replace("printf", "echo"))


def _old_temp(top: Path) -> None:
    folder = top / ".git" / "dataver" / "cache" / "tmp"
    folder.mkdir(exist_ok=True)
    (folder / "left").write_text("x")
    os.utime(folder / "left", (time.time() - 1e6,) * 2)


def _quarantined(top: Path) -> None:
    folder = top / ".git" / "dataver" / "cache" / "quarantine"
    folder.mkdir()
    (folder / "bad").write_text("x")


def _dead_user(top: Path) -> None:
    users = top / ".git" / "dataver" / "cache" / "users"
    host = os.uname().nodename
    (users / f"{'0' * 32}.toml").write_text(f'version = 1\nhost = "{host}"\nroot = "/nowhere/at/all"\n')


def _bad_index(top: Path) -> None:
    for path in (top / ".git" / "dataver" / "index").glob("*.columns"):
        path.write_bytes(b"nonsense")


def _bad_record(top: Path) -> None:
    for path in (top / ".git" / "dataver" / "record").iterdir():
        path.write_bytes(b"nonsense")


def _lost_pack(top: Path) -> None:
    packs(top.parent / "store")[0].unlink()


WARNINGS: list[tuple[Callable[[Path], None], str, str]] = [
    (_no_attributes, "attributes", "dataver doctor --fix"),
    (_no_ignore_line, "ignore", "dataver doctor --fix"),
    (_drivers, "drivers", "dataver doctor --fix"),
    (_hooks_half, "hooks", "dataver hooks install"),
    (_hooks_old, "hooks", "dataver hooks install"),
    (_old_temp, "cache", "dataver gc"),
    (_quarantined, "cache", "dataver verify --cache"),
    (_dead_user, "cache", "dataver gc --forget /nowhere/at/all"),
    (_bad_index, "index", "dataver status"),
    (_bad_record, "record", "dataver checkout data"),
    (_lost_pack, "remote origin", "dataver push --remote origin --all"),
]


@pytest.mark.parametrize(("spoil", "topic", "hint"), WARNINGS)
def test_a_lesser_fault_is_a_warning_with_the_next_command(
    pushed: Path, spoil: Callable[[Path], None], topic: str, hint: str
) -> None:
    spoil(pushed)

    done = _look(pushed)

    assert (_odd(done), done.exit_status) == ([(topic, "warning")], 0)
    assert hint in _said(done, topic)


@pytest.mark.parametrize("spoil", [_no_attributes, _no_ignore_line, _drivers, _hooks_old])
def test_fix_mends_what_is_safe_to_mend(pushed: Path, spoil: Callable[[Path], None]) -> None:
    spoil(pushed)

    done = doctor(str(pushed), fix=True)

    assert [f.is_mended for f in done.findings if f.state != "ok"] == [True]
    assert _odd(_look(pushed)) == []


def test_offline_asks_no_remote(pushed: Path) -> None:
    _no_remote(pushed)

    assert doctor(str(pushed), offline=True).exit_status == 0


def test_a_remote_that_was_rolled_back_is_noticed(pushed: Path) -> None:
    journal = sorted((pushed.parent / "store" / "journal").rglob("*"))
    for path in journal:
        if path.is_file():
            path.unlink()

    done = _look(pushed)

    assert done.exit_status == 3
