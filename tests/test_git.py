"""What is asked of git, asked of a real git."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from dataver.errors import (
    FormatError,
    GitCommandError,
    LocalIOError,
    LockTimeoutError,
    MissingObjectError,
    NoGitError,
    UnknownRevisionError,
)
from dataver.git import ALL, EVERYTHING, Git, GitPlace, find_place, program


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=check, capture_output=True)
    return os.fsdecode(done.stdout).strip()


def commit(top: Path, message: str, **files: str) -> str:
    """Write pointers (`a__b` is a/b.dv), commit all, return the commit."""
    for name, text in files.items():
        path = top / (name.replace("__", "/") + ".dv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(top, "add", "-A")
    git(top, "commit", "-q", "--allow-empty", "-m", message)
    return git(top, "rev-parse", "HEAD")


def blob(top: Path, where: str) -> str:
    return git(top, "rev-parse", where)


def refuse_git(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make every start of git fail the test."""
    monkeypatch.setenv("PATH", str(folder))


# -- find_place


def test_the_place_is_found_from_any_folder_without_git(
    git_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (git_repo / "a" / "b").mkdir(parents=True)
    refuse_git(monkeypatch, tmp_path)

    place = find_place(str(git_repo / "a" / "b"))

    dot_git = str(git_repo / ".git")
    assert place == GitPlace(str(git_repo), dot_git, dot_git)


def test_a_linked_work_tree_shares_the_common_folder(
    git_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(git_repo, "one")
    git(git_repo, "worktree", "add", "-q", str(tmp_path / "second"))
    refuse_git(monkeypatch, tmp_path)

    place = find_place(str(tmp_path / "second"))

    assert place.top == str(tmp_path / "second")
    assert place.git_dir == str(git_repo / ".git" / "worktrees" / "second")
    assert place.common_dir == str(git_repo / ".git")


def test_a_symlink_to_a_folder_inside_leads_to_the_real_top(git_repo: Path, tmp_path: Path) -> None:
    (git_repo / "sub").mkdir()
    (tmp_path / "way").symlink_to(git_repo / "sub")

    assert find_place(str(tmp_path / "way")).top == str(git_repo)


def test_a_submodule_is_a_place_of_its_own(git_repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", str(other))
    commit(other, "one")
    git(git_repo, "submodule", "add", "-q", str(other), "sub")

    place = find_place(str(git_repo / "sub"))

    assert place.top == str(git_repo / "sub")
    assert place.common_dir == str(git_repo / ".git" / "modules" / "sub")
    assert Git(str(git_repo)).submodules() == [b"sub"]


def test_no_repository_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoGitError):
        find_place(str(tmp_path))


def test_a_bare_repository_is_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare.git")

    for folder in ("bare.git", "bare.git/objects"):
        with pytest.raises(NoGitError):
            find_place(str(tmp_path / folder))


def test_inside_the_git_folder_is_no_work_tree(git_repo: Path) -> None:
    with pytest.raises(NoGitError):
        find_place(str(git_repo / ".git"))


def test_a_folder_that_only_looks_like_git_is_passed_by_as_git_does(git_repo: Path) -> None:
    (git_repo / "sub" / ".git").mkdir(parents=True)

    assert find_place(str(git_repo / "sub")).top == str(git_repo)


def test_a_configured_work_tree_is_git_to_say(git_repo: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    git(git_repo, "config", "core.worktree", str(tmp_path / "elsewhere"))

    assert find_place(str(tmp_path / "repo" / ".git" / "..")).top == str(tmp_path / "elsewhere")


def test_the_environment_of_a_hook_is_obeyed(
    git_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(git_repo)
    monkeypatch.setenv("GIT_DIR", ".git")

    assert find_place(".").top == str(git_repo)
    assert Git(str(git_repo)).head() is None


def test_a_missing_git_is_named(git_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_git(monkeypatch, tmp_path)

    with pytest.raises(LocalIOError, match="git: no such program") as caught:
        Git(str(git_repo)).head()

    assert "git-scm.com" in caught.value.hint


def test_a_repository_of_another_owner_gets_its_own_hint(
    git_repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    with pytest.raises(GitCommandError) as caught:
        Git(str(git_repo)).pointers()

    assert caught.value.hint == f"git config --global --add safe.directory {git_repo}"
    with pytest.raises(GitCommandError, match="dubious ownership"):
        Git(str(git_repo)).head()


# -- commits


def test_before_the_first_commit_there_is_a_branch_and_no_head(git_repo: Path) -> None:
    repo = Git(str(git_repo))

    assert (repo.head(), repo.branch()) == (None, "main")
    assert repo.head_and_index() == ([], {})
    assert repo.pointer_blobs([ALL]) == []


def test_head_and_branch_after_a_commit(git_repo: Path) -> None:
    first = commit(git_repo, "one")
    git(git_repo, "checkout", "-q", "--detach")

    assert Git(str(git_repo)).head() == first
    assert Git(str(git_repo)).branch() is None


def test_revisions_resolve_to_commits(git_repo: Path) -> None:
    first = commit(git_repo, "one", a="1")
    git(git_repo, "tag", "-a", "-m", "annotated", "v1")
    commit(git_repo, "two", a="2")
    repo = Git(str(git_repo))

    assert [repo.resolve(rev) for rev in ("v1", "HEAD~1", first[:8])] == [first] * 3


@pytest.mark.parametrize(
    "rev", ["", "none", "--all", "-h", "HEAD:a.dv", "HEAD\n", "a b", "HEAD --", "@{5000}"]
)
def test_what_is_no_revision_is_said_and_never_an_option(git_repo: Path, rev: str) -> None:
    commit(git_repo, "one", a="1")

    with pytest.raises(UnknownRevisionError):
        Git(str(git_repo)).resolve(rev)


def test_a_commit_is_described_for_people(git_repo: Path) -> None:
    first = commit(git_repo, "The subject\n\nbody")
    git(git_repo, "tag", "v1")
    second = commit(git_repo, "two")
    repo = Git(str(git_repo))
    info = repo.commit_info(first)

    assert (info.sha, info.author, info.subject) == (first, "Test", "The subject")
    assert info.date[:2] == "20"
    assert repo.describe(first) == "v1"
    assert repo.describe(second) == "main"


def test_a_commit_between_names_has_the_nearest_tag(git_repo: Path) -> None:
    commit(git_repo, "one")
    git(git_repo, "tag", "v1")
    second = commit(git_repo, "two")
    commit(git_repo, "three")

    assert Git(str(git_repo)).describe(second).startswith("v1-1-g")


def test_the_oldest_commit_that_brought_a_pointer_is_found(git_repo: Path) -> None:
    commit(git_repo, "one", a="1")
    second = commit(git_repo, "two", a="2")
    wanted = blob(git_repo, "HEAD:a.dv")
    commit(git_repo, "three", a="3")
    commit(git_repo, "two again", a="2")
    repo = Git(str(git_repo))

    found = repo.introduced(b"a.dv", wanted)

    assert found is not None
    assert (found.sha, found.subject) == (second, "two")
    assert repo.introduced(b"b.dv", wanted) is None


def test_user_settings_change_nothing(git_repo: Path, isolated_machine: Path) -> None:
    (isolated_machine / ".gitconfig").write_text(
        "[color]\nui = always\n[log]\nshowSignature = true\ndecorate = full\n[core]\nquotePath = true\n"
        "pager = false\n[diff]\nrenames = copies\nnoprefix = true\n[alias]\nlog = status\n"
        '[user]\nname = "Other"\n'
    )
    first = commit(git_repo, "one", a="1")
    repo = Git(str(git_repo))

    assert repo.commit_info(first).subject == "one"
    assert repo.pointer_blobs(["HEAD"]) == [(b"a.dv", blob(git_repo, "HEAD:a.dv"), first)]


def test_a_shallow_clone_is_noticed(git_repo: Path, tmp_path: Path) -> None:
    commit(git_repo, "one", a="1")
    commit(git_repo, "two", a="2")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{git_repo}", "shallow")

    assert Git(str(tmp_path / "shallow")).is_shallow()
    assert not Git(str(git_repo)).is_shallow()


def test_work_trees_and_stashes_are_listed(git_repo: Path, tmp_path: Path) -> None:
    commit(git_repo, "one", a="1")
    second = tmp_path / "second tree\u00e9"
    git(git_repo, "worktree", "add", "-q", "--detach", str(second))
    (git_repo / "a.dv").write_text("stashed")
    git(git_repo, "stash", "-q")
    repo = Git(str(git_repo))

    assert repo.worktrees() == [str(git_repo), str(second)]
    assert repo.stashes() == [blob(git_repo, "stash@{0}")]
    assert Git(str(second)).worktrees() == repo.worktrees()


# -- pointers


def test_index_rows_are_those_of_pointers_at_any_depth(git_repo: Path) -> None:
    (git_repo / "readme").write_text("no pointer")
    commit(git_repo, "one", a="1", deep__er__b="2")

    rows = Git(str(git_repo)).pointers()

    assert [(row.path, row.mode, row.stage) for row in rows] == [
        (b"a.dv", 0o100644, 0),
        (b"deep/er/b.dv", 0o100644, 0),
    ]
    assert rows[0].blob == blob(git_repo, ":a.dv")


def test_names_that_hurt_pass_through(git_repo: Path) -> None:
    names = [b"caf\xe9.dv", b"new\nline.dv", b"tab\t.dv", b"*.dv", b":(glob)x.dv", b"-n.dv", b' "q".dv']
    for name in names:
        with open(os.fsencode(git_repo) + b"/" + name, "wb") as file:
            file.write(name)
    repo = Git(str(git_repo))
    assert sorted(repo.untracked_pointers()) == sorted(names)

    repo.stage(names)
    git(git_repo, "commit", "-q", "-m", "names")
    rows = repo.pointers()

    assert sorted(row.path for row in rows) == sorted(names)
    assert sorted(repo.read_blobs([row.blob for row in rows])) == sorted(names)
    assert sorted(repo.pointers_at("HEAD")) == sorted(names)
    assert sorted(path for path, _, _ in repo.pointer_blobs(["HEAD"])) == sorted(names)


def test_a_pattern_in_a_path_means_only_itself(git_repo: Path) -> None:
    for name in ("a.dv", "b.dv", "*.dv"):
        (git_repo / name).write_text(name)
    repo = Git(str(git_repo))

    repo.stage([b"*.dv"])

    assert [row.path for row in repo.pointers()] == [b"*.dv"]


def _listing(top: Path, rev: str) -> dict[bytes, str]:
    rows = git(top, "ls-tree", "-r", rev).splitlines()
    pairs = (row.split("\t") for row in rows)
    return {os.fsencode(path): meta.split()[2] for meta, path in pairs if path.endswith(".dv")}


def test_pointers_of_any_revision_are_those_of_its_tree(git_repo: Path) -> None:
    (git_repo / "other").write_text("x")
    commit(git_repo, "one", a="1", b="2", s__c="3")
    git(git_repo, "tag", "v1")
    (git_repo / "a.dv").unlink()
    commit(git_repo, "two", b="22", s__d="4")
    (git_repo / "s" / "d.dv").write_text("staged")
    (git_repo / "new.dv").write_text("staged too")
    git(git_repo, "add", "-A")
    repo = Git(str(git_repo))

    assert repo.pointers_at("v1") == _listing(git_repo, "v1")
    assert repo.pointers_at("HEAD") == _listing(git_repo, "HEAD")


def test_head_and_index_differ_where_something_is_staged(git_repo: Path) -> None:
    commit(git_repo, "one", a="1", b="2", c="3")
    (git_repo / "a.dv").write_text("changed")
    (git_repo / "b.dv").unlink()
    (git_repo / "n.dv").write_text("new")
    git(git_repo, "add", "-A")

    rows, head = Git(str(git_repo)).head_and_index()

    assert [row.path for row in rows] == [b"a.dv", b"c.dv", b"n.dv"]
    assert head == _listing(git_repo, "HEAD")


def test_an_intended_path_is_not_in_head(git_repo: Path) -> None:
    commit(git_repo, "one", a="1")
    (git_repo / "later.dv").write_text("x")
    git(git_repo, "add", "-N", "later.dv")

    _, head = Git(str(git_repo)).head_and_index()

    assert list(head) == [b"a.dv"]


def test_a_conflict_has_its_stages_and_head_is_still_whole(git_repo: Path) -> None:
    commit(git_repo, "base", a="base", b="same")
    git(git_repo, "checkout", "-q", "-b", "side")
    commit(git_repo, "theirs", a="theirs")
    git(git_repo, "checkout", "-q", "main")
    commit(git_repo, "ours", a="ours")
    git(git_repo, "merge", "-q", "side", check=False)
    repo = Git(str(git_repo))

    rows, head = repo.head_and_index()

    assert [(row.path, row.stage) for row in rows] == [(b"a.dv", 1), (b"a.dv", 2), (b"a.dv", 3), (b"b.dv", 0)]
    assert repo.read_blobs([row.blob for row in rows[:3]]) == [b"base", b"ours", b"theirs"]
    assert head == _listing(git_repo, "HEAD")
    assert repo.pointers_at("side") == _listing(git_repo, "side")


def test_symlinks_and_submodules_are_no_pointers_of_a_revision(git_repo: Path) -> None:
    (git_repo / "link.dv").symlink_to("a.dv")
    commit(git_repo, "one", a="1")
    git(git_repo, "rm", "-q", "--cached", "link.dv")
    repo = Git(str(git_repo))

    assert list(repo.pointers_at("HEAD")) == [b"a.dv"]
    assert [path for path, _, _ in repo.pointer_blobs(["HEAD"])] == [b"a.dv"]


# -- blobs


def test_many_blobs_are_read_in_order(git_repo: Path) -> None:
    files = {f"p{number}": f"text {number}" for number in range(1500)}
    commit(git_repo, "many", **files)
    repo = Git(str(git_repo))
    rows = repo.pointers()

    found = repo.read_blobs([row.blob for row in rows])

    assert found == [f"text {int(row.path[1:-3])}".encode() for row in rows]


def test_a_blob_that_is_too_large_or_missing_does_not_stop_the_others(git_repo: Path) -> None:
    commit(git_repo, "one", a="small", b="x" * 2_000_000, c="also small", d="y" * 70_000)
    repo = Git(str(git_repo))
    large_then_tree = [blob(git_repo, f"HEAD:{name}") for name in ("a.dv", "b.dv")] + ["1" * 40]
    rest = [blob(git_repo, "HEAD^{tree}"), blob(git_repo, "HEAD:d.dv"), blob(git_repo, "HEAD:c.dv")]

    found = repo.try_read_blobs(large_then_tree + rest)

    kinds = [content if isinstance(content, bytes) else type(content) for content in found]
    assert kinds == [b"small", FormatError, MissingObjectError, FormatError, FormatError, b"also small"]
    with pytest.raises(FormatError, match="2000000"):
        repo.read_blobs(large_then_tree)


def test_no_blobs_need_no_git(git_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_git(monkeypatch, tmp_path)

    assert Git(str(git_repo)).read_blobs([]) == []


# -- history


def _brought(repo: Git, ranges: list[str]) -> list[tuple[bytes, bytes]]:
    rows = repo.pointer_blobs(ranges)
    return sorted(zip((path for path, _, _ in rows), repo.read_blobs([b for _, b, _ in rows]), strict=True))


def test_every_version_in_a_range_is_found(git_repo: Path) -> None:
    commit(git_repo, "one", a="1")
    commit(git_repo, "two", a="2")
    third = commit(git_repo, "three", a="3", b="new")
    commit(git_repo, "back", a="2")
    repo = Git(str(git_repo))

    assert _brought(repo, ["HEAD~2..HEAD"]) == [(b"a.dv", b"2"), (b"a.dv", b"3"), (b"b.dv", b"new")]
    assert _brought(repo, ["HEAD"]) == [(b"a.dv", b"1"), (b"a.dv", b"2"), (b"a.dv", b"3"), (b"b.dv", b"new")]
    assert (b"b.dv", blob(git_repo, "HEAD:b.dv"), third) in repo.pointer_blobs([ALL])


def test_what_only_a_merge_brought_is_found(git_repo: Path) -> None:
    commit(git_repo, "base", a="base")
    git(git_repo, "checkout", "-q", "-b", "side")
    commit(git_repo, "side", s="side")
    git(git_repo, "checkout", "-q", "main")
    commit(git_repo, "main", m="main")
    git(git_repo, "merge", "-q", "--no-commit", "side")
    commit(git_repo, "evil", a="evil", added="in the merge")

    found = _brought(Git(str(git_repo)), ["HEAD^1..HEAD"])

    assert (b"a.dv", b"evil") in found
    assert (b"added.dv", b"in the merge") in found
    assert (b"s.dv", b"side") in found


def test_a_side_branch_whose_merge_was_discarded_is_found(git_repo: Path) -> None:
    commit(git_repo, "base", a="base")
    git(git_repo, "checkout", "-q", "-b", "side")
    commit(git_repo, "side", a="lost and found")
    git(git_repo, "checkout", "-q", "main")
    git(git_repo, "merge", "-q", "-s", "ours", "-m", "ours", "side")

    assert (b"a.dv", b"lost and found") in _brought(Git(str(git_repo)), ["HEAD"])


def test_all_means_branches_tags_and_a_detached_head(git_repo: Path) -> None:
    commit(git_repo, "main", a="main")
    git(git_repo, "checkout", "-q", "-b", "side")
    commit(git_repo, "side", a="side")
    git(git_repo, "checkout", "-q", "--detach", "main")
    commit(git_repo, "tagged", a="tagged")
    git(git_repo, "tag", "t")
    git(git_repo, "checkout", "-q", "--detach", "main")
    commit(git_repo, "detached", a="detached")

    found = {content for _, content in _brought(Git(str(git_repo)), [ALL])}

    assert found == {b"main", b"side", b"tagged", b"detached"}


def test_everything_means_stashes_reflogs_and_work_trees_too(git_repo: Path, tmp_path: Path) -> None:
    commit(git_repo, "main", a="main")
    for text in ("stash one", "stash two"):
        (git_repo / "a.dv").write_text(text)
        git(git_repo, "stash", "-q")
    commit(git_repo, "dropped", a="only in the reflog")
    git(git_repo, "reset", "-q", "--hard", "HEAD~1")
    git(git_repo, "worktree", "add", "-q", "--detach", str(tmp_path / "second"))
    commit(tmp_path / "second", "other", a="detached in another work tree")

    found = {content for _, content in _brought(Git(str(git_repo)), [EVERYTHING])}

    assert found == {
        b"main",
        b"stash one",
        b"stash two",
        b"only in the reflog",
        b"detached in another work tree",
    }


def test_a_new_branch_is_compared_with_what_the_remote_has(git_repo: Path, tmp_path: Path) -> None:
    commit(git_repo, "one", a="pushed")
    git(tmp_path, "clone", "-q", str(git_repo), "clone")
    clone = tmp_path / "clone"
    git(clone, "checkout", "-q", "-b", "new")
    commit(clone, "two", a="unpushed")

    assert _brought(Git(str(clone)), ["new", "--not", "--remotes=origin"]) == [(b"a.dv", b"unpushed")]


@pytest.mark.parametrize("word", ["none..HEAD", "1" * 40, "--output=x", "-n1", "--exec=sh"])
def test_a_bad_range_is_said_and_never_an_option(git_repo: Path, word: str) -> None:
    commit(git_repo, "one", a="1")

    with pytest.raises(UnknownRevisionError):
        Git(str(git_repo)).pointer_blobs([word])


def test_commits_without_pointers_bring_nothing(git_repo: Path) -> None:
    (git_repo / "code.py").write_text("x")
    commit(git_repo, "one")

    assert Git(str(git_repo)).pointer_blobs(["HEAD"]) == []


# -- the index


def test_staging_takes_additions_changes_and_deletions(git_repo: Path) -> None:
    commit(git_repo, "one", a="1", b="2")
    (git_repo / "a.dv").write_text("changed")
    (git_repo / "b.dv").unlink()
    (git_repo / "n.dv").write_text("new")
    (git_repo / "not.dv").write_text("not asked for")

    Git(str(git_repo)).stage([b"a.dv", b"b.dv", b"n.dv"])

    staged = git(git_repo, "diff", "--cached", "--name-status", "--no-renames").split()
    assert staged == ["M", "a.dv", "D", "b.dv", "A", "n.dv"]


def test_staging_what_is_ignored_needs_force(git_repo: Path) -> None:
    (git_repo / ".gitignore").write_text("*.dv\n")
    (git_repo / "a.dv").write_text("1")
    repo = Git(str(git_repo))

    with pytest.raises(GitCommandError):
        repo.stage([b"a.dv"])
    repo.stage([b"a.dv"], force=True)

    assert [row.path for row in repo.pointers()] == [b"a.dv"]


def test_staging_many_paths_is_one_call(git_repo: Path) -> None:
    names = [f"p{number}.dv" for number in range(5000)]
    for name in names:
        (git_repo / name).write_text(name)
    repo = Git(str(git_repo))

    repo.stage(name.encode() for name in names)

    assert len(repo.pointers()) == 5000


def test_nothing_to_stage_is_nothing(git_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (git_repo / "a.dv").write_text("1")
    repo = Git(str(git_repo))

    repo.stage([])
    repo.unstage([])
    repo.rm_cached([])

    assert repo.pointers() == []


def test_unstaging_brings_back_what_head_says(git_repo: Path) -> None:
    commit(git_repo, "one", a="1")
    (git_repo / "a.dv").write_text("changed")
    (git_repo / "n.dv").write_text("new")
    repo = Git(str(git_repo))
    repo.stage([b"a.dv", b"n.dv"])

    repo.unstage([b"a.dv", b"n.dv"])

    assert git(git_repo, "diff", "--cached", "--name-only") == ""
    assert (git_repo / "a.dv").read_text() == "changed"


def test_unstaging_works_before_the_first_commit(git_repo: Path) -> None:
    (git_repo / "a.dv").write_text("1")
    repo = Git(str(git_repo))
    repo.stage([b"a.dv"])

    repo.unstage([b"a.dv"])

    assert repo.pointers() == []


def test_rm_cached_takes_a_folder_out_and_leaves_its_files(git_repo: Path) -> None:
    (git_repo / "data").mkdir()
    (git_repo / "data" / "x.csv").write_text("1")
    commit(git_repo, "one")
    (git_repo / "data" / "x.csv").write_text("changed")
    git(git_repo, "add", "data")
    (git_repo / "data" / "x.csv").write_text("changed again")
    repo = Git(str(git_repo))
    assert repo.tracked_below(b"data") == [b"data/x.csv"]

    repo.rm_cached([b"data", b"not there"])

    assert repo.tracked_below(b"data") == []
    assert (git_repo / "data" / "x.csv").read_text() == "changed again"


def test_tracked_below_means_the_path_and_what_is_in_it(git_repo: Path) -> None:
    for name in ("data", "data2"):
        (git_repo / name).mkdir()
        (git_repo / name / "x").write_text("1")
    (git_repo / "file").write_text("1")
    commit(git_repo, "one")
    repo = Git(str(git_repo))

    assert repo.tracked_below(b"data") == [b"data/x"]
    assert repo.tracked_below(b"file") == [b"file"]
    assert repo.tracked_below(b"dat*") == []
    assert repo.tracked_below(b"") == [b"data/x", b"data2/x", b"file"]


def test_a_pointer_moves_in_the_index_and_the_work_tree(git_repo: Path) -> None:
    commit(git_repo, "one", a="1")
    repo = Git(str(git_repo))

    repo.move(b"a.dv", b"b.dv")

    assert [row.path for row in repo.pointers()] == [b"b.dv"]
    assert (git_repo / "b.dv").read_text() == "1"


def test_ignored_paths_are_told_from_others(git_repo: Path) -> None:
    (git_repo / ".gitignore").write_bytes(b"/data\n*.log\n")
    repo = Git(str(git_repo))

    found = repo.is_ignored([b"data", b"data/x", b"sub/data", b"a\n\xff.log", b":(top)*.log", b"a.dv"])

    assert found == {b"data", b"data/x", b"a\n\xff.log", b":(top)*.log"}
    assert repo.is_ignored([]) == set()
    assert repo.is_ignored([b"a.dv"]) == set()


def test_staging_waits_for_another_gits_lock(git_repo: Path) -> None:
    (git_repo / "a.dv").write_text("1")
    lock = git_repo / ".git" / "index.lock"
    lock.write_text("")
    repo = Git(str(git_repo))
    release = threading.Timer(0.2, lock.unlink)
    release.start()

    repo.stage([b"a.dv"])

    release.join()
    assert [row.path for row in repo.pointers()] == [b"a.dv"]


def test_a_lock_that_was_left_behind_is_named_after_a_while(
    git_repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_LOCK_PATIENCE_S", 0.1)
    (git_repo / "a.dv").write_text("1")
    (git_repo / ".git" / "index.lock").write_text("")

    with pytest.raises(LockTimeoutError, match=r"index\.lock"):
        Git(str(git_repo)).stage([b"a.dv"])


def _written(path: Path) -> tuple[int, int, int, int]:
    """Return what a write would change of a file; reading it may change its access time."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def test_reading_takes_no_lock_and_writes_nothing(git_repo: Path) -> None:
    commit(git_repo, "one", a="1")
    os.utime(git_repo / "a.dv", (time.time() + 5, time.time() + 5))
    index = git_repo / ".git" / "index"
    before = _written(index)
    (git_repo / ".git" / "index.lock").write_text("")
    repo = Git(str(git_repo))

    repo.head_and_index()
    repo.pointers_at("HEAD")
    repo.untracked_pointers()

    assert _written(index) == before


def test_an_error_of_git_says_what_git_said(git_repo: Path) -> None:
    with pytest.raises(GitCommandError, match="bad source") as caught:
        Git(str(git_repo)).move(b"none", b"other")

    assert caught.value.message.startswith("git mv -- none other failed: ")


# -- config


def test_config_values_are_read_and_written(git_repo: Path) -> None:
    repo = Git(str(git_repo))
    assert repo.config_get("diff.dataver.command") is None

    repo.config_set("diff.dataver.command", "dataver diff-driver")
    repo.config_set("diff.dataver.command", "dataver diff-driver\n2")

    assert repo.config_get("diff.dataver.command") == "dataver diff-driver\n2"
    assert repo.config_get_regexp(r"^diff\.dataver\.") == [("diff.dataver.command", "dataver diff-driver\n2")]
    assert repo.config_get_regexp(r"^nothing\.") == []


def test_a_broken_config_is_said(git_repo: Path) -> None:
    (git_repo / ".git" / "config").write_text("[core\n")

    with pytest.raises(GitCommandError, match="bad config"):
        Git(str(git_repo)).config_get("a.b")
