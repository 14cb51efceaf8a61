"""Every place from which a version may still be wanted is asked, and what cannot be asked is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dataver.errors import UnprovenError
from dataver.formats.pointer import Pointer, encode_pointer
from dataver.ops.reachable import Reachable, reachable
from dataver.repo import Repo
from dataver.workspace.record import Record
from tests.workspace.sandbox import Sandbox, new_sandbox

FIRST, WANTED = bytes([1]) * 32, bytes([2]) * 32


def pointer(root_id: bytes) -> bytes:
    return encode_pointer(Pointer(root_id, True, 1, "1 B"))


@pytest.fixture
def box(tmp_path: Path, isolated_machine: Path) -> Sandbox:
    """Return a work tree with a cache and one commit, whose pointer names FIRST."""
    made = new_sandbox(tmp_path / "work")
    made.cache.mkdir(parents=True)
    put(made, FIRST)
    commit(made)
    return made


def put(box: Sandbox, root_id: bytes, name: str = "data.dv") -> None:
    (box.top / name).write_bytes(pointer(root_id))


def commit(box: Sandbox, *arguments: str) -> str:
    box.git("add", "-A")
    box.git("commit", "-q", "-m", "Change", *arguments)
    return box.git("rev-parse", "HEAD").strip()


def commit_wanted(box: Sandbox) -> str:
    """Commit a pointer that names WANTED, go back, and leave only what the caller adds to name it."""
    put(box, WANTED)
    found = commit(box)
    box.git("reset", "-q", "--hard", "HEAD~1")
    (box.top / ".git/ORIG_HEAD").unlink()
    return found


def forget_history(box: Sandbox) -> None:
    """Remove every reflog entry."""
    box.git("reflog", "expire", "--expire=now", "--all")


def asked(box: Sandbox) -> Reachable:
    with Repo(str(box.top)) as repo:
        return reachable(repo)


# -- what names a version


def by_branch(box: Sandbox) -> None:
    box.git("branch", "other", commit_wanted(box))
    forget_history(box)


def by_tag(box: Sandbox) -> None:
    box.git("tag", "-a", "-m", "tagged", "v2", commit_wanted(box))
    forget_history(box)


def by_remote_branch(box: Sandbox) -> None:
    box.git("update-ref", "refs/remotes/origin/main", commit_wanted(box))
    forget_history(box)


def by_ref_of_its_own(box: Sandbox) -> None:
    box.git("update-ref", "refs/pull/7/head", commit_wanted(box))
    forget_history(box)


def by_reflog(box: Sandbox) -> None:
    commit_wanted(box)


def by_older_stash(box: Sandbox) -> None:
    for root_id in (WANTED, bytes([3]) * 32):
        put(box, root_id)
        box.git("stash", "-q")


def by_index_of_a_stash(box: Sandbox) -> None:
    put(box, WANTED)
    box.git("add", "-A")
    put(box, FIRST)
    box.git("stash", "-q")


def by_index(box: Sandbox) -> None:
    put(box, WANTED)
    box.git("add", "-A")
    put(box, FIRST)


def by_pointer_on_disk(box: Sandbox) -> None:
    put(box, WANTED)


def by_untracked_pointer(box: Sandbox) -> None:
    put(box, WANTED, "new.dv")


def by_conflict(box: Sandbox) -> None:
    box.git("branch", "side")
    put(box, bytes([3]) * 32)
    commit(box)
    box.git("switch", "-q", "side")
    put(box, WANTED)
    commit(box)
    box.git("switch", "-q", "main")
    box.git("-c", "merge.dataver.driver=false", "merge", "-q", "side", check=False)
    box.git("branch", "-q", "-D", "side")
    (box.top / ".git/MERGE_HEAD").unlink()
    put(box, FIRST)
    forget_history(box)


def by_orig_head(box: Sandbox) -> None:
    box.git("update-ref", "ORIG_HEAD", commit_wanted(box))
    forget_history(box)


def by_fetch_head(box: Sandbox) -> None:
    found = commit_wanted(box)
    (box.top / ".git/FETCH_HEAD").write_text(f"{found}\t\tbranch 'x' of ../other\n")
    forget_history(box)


def by_rebase(box: Sandbox) -> None:
    found = commit_wanted(box)
    (box.top / ".git/rebase-merge").mkdir()
    (box.top / ".git/rebase-merge/orig-head").write_text(found + "\n")
    forget_history(box)


def by_tag_of_a_tree(box: Sandbox) -> None:
    box.git("tag", "files", commit_wanted(box) + "^{tree}")
    forget_history(box)


def by_tag_of_a_file(box: Sandbox) -> None:
    box.git("tag", "file", commit_wanted(box) + ":data.dv")
    forget_history(box)


def by_merge_alone(box: Sandbox) -> None:
    box.git("switch", "-q", "-c", "side")
    box.git("commit", "-q", "--allow-empty", "-m", "Empty")
    box.git("switch", "-q", "main")
    box.git("merge", "-q", "--no-commit", "--no-ff", "side")
    put(box, WANTED)
    commit(box)
    put(box, FIRST)
    commit(box)


def by_replaced_commit(box: Sandbox) -> None:
    put(box, WANTED)
    found = commit(box)
    put(box, FIRST)
    commit(box)
    box.git("replace", found, "HEAD~2")
    forget_history(box)


def by_record(box: Sandbox) -> None:
    with Repo(str(box.top)) as repo:
        repo.records.save(b"data", Record(WANTED, beside=FIRST))


def by_record_beside(box: Sandbox) -> None:
    with Repo(str(box.top)) as repo:
        repo.records.save(b"data", Record(FIRST, beside=WANTED))


def _worktree(box: Sandbox) -> Sandbox:
    box.git("worktree", "add", "-q", "--detach", "../linked")
    return Sandbox(box.top.parent / "linked")


def by_head_of_a_worktree(box: Sandbox) -> None:
    linked = _worktree(box)
    put(linked, WANTED)
    commit(linked)
    forget_history(box)


def by_index_of_a_worktree(box: Sandbox) -> None:
    linked = _worktree(box)
    put(linked, WANTED)
    linked.git("add", "-A")
    put(linked, FIRST)


def by_pointer_in_a_worktree(box: Sandbox) -> None:
    put(_worktree(box), WANTED)


def by_record_of_a_worktree(box: Sandbox) -> None:
    with Repo(str(_worktree(box).top)) as repo:
        repo.records.save(b"data", Record(WANTED))


def by_bisection_in_a_worktree(box: Sandbox) -> None:
    linked = _worktree(box)
    linked.git("update-ref", "refs/bisect/bad", commit_wanted(box))
    forget_history(box)


def by_index_of_a_worktree_whose_folder_is_gone(box: Sandbox) -> None:
    linked = _worktree(box)
    put(linked, WANTED)
    linked.git("add", "-A")
    shutil.rmtree(linked.top)


def by_conflict_markers_on_disk(box: Sandbox) -> None:
    ours, theirs = pointer(FIRST).decode(), pointer(WANTED).decode()
    (box.top / "data.dv").write_text(f"<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n")


KEEPERS = [
    by_branch, by_tag, by_remote_branch, by_ref_of_its_own, by_reflog, by_older_stash, by_index_of_a_stash,
    by_index, by_pointer_on_disk, by_untracked_pointer, by_conflict, by_orig_head, by_fetch_head, by_rebase,
    by_tag_of_a_tree, by_tag_of_a_file, by_merge_alone, by_replaced_commit, by_record, by_record_beside,
    by_head_of_a_worktree, by_index_of_a_worktree, by_pointer_in_a_worktree, by_record_of_a_worktree,
    by_bisection_in_a_worktree, by_index_of_a_worktree_whose_folder_is_gone, by_conflict_markers_on_disk,
]  # fmt: skip


@pytest.mark.parametrize("keep", KEEPERS, ids=lambda keep: keep.__name__)
def test_a_version_is_reached(box: Sandbox, keep: Callable[[Sandbox], None]) -> None:
    keep(box)

    assert WANTED in asked(box).roots


def test_a_version_that_nothing_names_is_not_reached(box: Sandbox) -> None:
    commit_wanted(box)
    forget_history(box)

    assert asked(box).roots == {FIRST}


def test_history_is_not_present(box: Sandbox) -> None:
    put(box, WANTED)
    commit(box)

    assert asked(box).present == {WANTED}


def test_a_hook_asks_every_repository_about_itself(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    other = _user_of(box.cache, box.top.parent / "other")
    put(other, WANTED)
    asked(other)
    monkeypatch.setenv("GIT_DIR", str(box.top / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(box.top / ".git/index"))
    monkeypatch.chdir(box.top)

    assert asked(box).roots == {FIRST, WANTED}


# -- several repositories


def _user_of(cache: Path, top: Path) -> Sandbox:
    """Return another repository that uses *cache*."""
    made = new_sandbox(top)
    (made.local / "config.toml").write_text(f'[cache]\ndir = "{cache}"\n')
    with made.repo() as repo:
        _ = repo.cache
    return made


def test_every_repository_that_uses_the_cache_is_asked(box: Sandbox) -> None:
    other = _user_of(box.cache, box.top.parent / "other")
    put(other, WANTED)

    assert asked(box).roots == {FIRST, WANTED}


def test_a_copy_with_the_same_clone_id_is_asked_too(box: Sandbox) -> None:
    shared = box.top.parent / "shared"
    shared.mkdir()
    (box.local / "config.toml").write_text(f'[cache]\ndir = "{shared}"\n')
    asked(box)
    copy = Sandbox(box.top.parent / "copy")
    shutil.copytree(box.top, copy.top, symlinks=True)
    put(copy, WANTED)
    asked(copy)

    assert asked(box).roots == {FIRST, WANTED}


def test_the_original_of_a_copied_cache_is_not_asked(box: Sandbox) -> None:
    asked(box)
    copy = Sandbox(box.top.parent / "copy")
    shutil.copytree(box.top, copy.top, symlinks=True)
    put(box, WANTED)

    assert asked(copy).roots == {FIRST}


def test_a_copy_outlives_its_original(box: Sandbox) -> None:
    asked(box)
    copy = Sandbox(box.top.parent / "copy")
    shutil.copytree(box.top, copy.top, symlinks=True)
    asked(copy)
    shutil.rmtree(box.top)

    assert asked(copy).roots == {FIRST}


def test_a_repository_that_moved_registers_itself_anew(box: Sandbox) -> None:
    other = _user_of(box.cache, box.top.parent / "other")
    put(other, WANTED)
    moved = Sandbox(box.top.parent / "moved")
    other.top.rename(moved.top)
    asked(moved)

    assert asked(box).roots == {FIRST, WANTED}


def test_a_removed_worktree_that_was_used_last_stops_nothing(box: Sandbox) -> None:
    linked = _worktree(box)
    asked(linked)
    box.git("worktree", "remove", "../linked")

    assert asked(box).roots == {FIRST}


# -- what cannot be proved


def _refusal(box: Sandbox) -> UnprovenError:
    with pytest.raises(UnprovenError) as caught:
        asked(box)
    return caught.value


def test_a_repository_that_is_gone_is_refused_by_name(box: Sandbox) -> None:
    other = _user_of(box.cache, box.top.parent / "other")
    shutil.rmtree(other.top)

    error = _refusal(box)

    assert str(other.top) in error.message
    assert f"dataver gc --forget {other.top}" in error.hint


def test_a_repository_on_another_host_is_refused_by_name(box: Sandbox) -> None:
    other = _user_of(box.cache, box.top.parent / "other")
    for file in (box.cache / "users").iterdir():
        text = file.read_text()
        if str(other.top) in text:
            file.write_text(text.replace(os.uname().nodename, "elsewhere"))
    shutil.rmtree(other.top)

    assert "elsewhere" in _refusal(box).message


def test_a_repository_that_git_cannot_read_is_refused_by_name(box: Sandbox) -> None:
    other = _user_of(box.cache, box.top.parent / "other")
    (other.top / ".git/HEAD").write_text("nonsense\n")

    assert str(other.top) in _refusal(box).message


def test_a_missing_commit_is_refused(box: Sandbox) -> None:
    found = commit_wanted(box)
    box.git("branch", "lost", found)
    (box.top / f".git/objects/{found[:2]}/{found[2:]}").unlink()

    assert str(box.top) in _refusal(box).message


def test_the_missing_folder_of_a_locked_worktree_is_refused(box: Sandbox) -> None:
    linked = _worktree(box)
    box.git("worktree", "lock", "../linked")
    shutil.rmtree(linked.top)

    assert str(linked.top) in _refusal(box).message


def test_a_pointer_of_a_newer_version_is_refused_even_in_old_history(box: Sandbox) -> None:
    (box.top / "data.dv").write_bytes(pointer(WANTED).replace(b"version = 1", b"version = 2"))
    commit(box)
    put(box, FIRST)
    commit(box)

    assert "pip install --upgrade dataver" in _refusal(box).hint


def test_a_record_of_a_newer_version_is_refused(box: Sandbox) -> None:
    (box.local / "record").mkdir()
    (box.local / "record/0123").write_text("dataver record 2\n")

    assert "newer" in _refusal(box).message


@pytest.mark.parametrize("content", [b"not a pointer\n", b"\0" * 70_000, b"version = 1\n"])
def test_a_file_that_is_no_pointer_stops_nothing(box: Sandbox, content: bytes) -> None:
    (box.top / "odd.dv").write_bytes(content)
    commit(box)

    assert asked(box).roots == {FIRST}


def test_a_registration_of_a_newer_version_is_refused(box: Sandbox) -> None:
    asked(box)
    (box.cache / f"users/{'0' * 32}.toml").write_text('version = 2\nplace = "x"\n')

    assert "newer" in _refusal(box).message


def test_a_registration_that_is_a_pipe_is_refused_and_not_waited_for(box: Sandbox) -> None:
    asked(box)
    os.mkfifo(box.cache / f"users/{'0' * 32}.toml")

    assert "no registration" in _refusal(box).message


def test_a_shallow_clone_is_asked_for_what_it_has(box: Sandbox) -> None:
    put(box, WANTED)
    commit(box)
    clone = box.top.parent / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", box.top.as_uri(), str(clone)], check=True)

    assert asked(Sandbox(clone)).roots == {WANTED}
