"""What DVC does to its users, each played against dataver: none of it happens here.

Beside their kin are played: 5, two commits and one `git push` (test_hooks.py); 7, `add` killed, on a full
disk, over FIFOs, links and names that are not UTF-8 (tests/faults, test_full_disk.py,
test_hurting_names.py); 9, `gc` beside other branches and projects (test_gc.py); 10, one conflicted
pointer (test_merge.py).
"""

import signal
import time
from pathlib import Path

import pytest

from tests.e2e.cli import finish, start
from tests.e2e.project import Project, blob, picture, publish, size_below


def _flip_last_byte(path: Path) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    path.chmod(0o444)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


# 1: checkout with one cache object missing


@pytest.fixture
def gap(tracked: Project) -> Project:
    """Give a project in which the cache lacks one object, and the workspace its file and another."""
    tracked.write({"data/.dataverignore": "*.log\n"})
    tracked.record("data")
    tracked.write({"data/run.log": "kept\n"})
    tracked.loose("data/big.bin").unlink()
    for name in ("data/big.bin", "data/a.txt"):
        (tracked.root / name).unlink()
    return tracked


def test_checkout_with_a_missing_object_exits_3_and_names_the_file(gap: Project) -> None:
    result = gap.run("--json", "checkout", expect=3)

    assert result.failed == {"data/big.bin": "missing-object"}


def test_checkout_with_a_missing_object_restores_the_other_files(gap: Project) -> None:
    gap.run("checkout", expect=3)

    assert gap.read("data/a.txt") == "alpha\n"


def test_checkout_with_a_missing_object_keeps_every_other_file(gap: Project) -> None:
    before = picture(gap.root / "data")

    gap.run("checkout", expect=3)

    after = picture(gap.root / "data")
    assert {name: after.get(name) for name in before} == before


# 2: partial pull, then add


def test_an_add_after_a_partial_pull_keeps_what_was_never_pulled(published: Project) -> None:
    other = published.clone("other")
    other.run("pull", "data/train")
    other.write({"data/train/4.csv": "4,four\n"})
    before = {entry["path"] for entry in published.ask("ls", "-R", "data")["entries"]}

    other.record("data")

    after = {entry["path"] for entry in other.ask("ls", "-R", "data")["entries"]}
    assert after == before | {"data/train/4.csv"}


# 3: corrupted objects


def test_a_corrupted_cache_object_is_never_delivered(tracked: Project) -> None:
    _flip_last_byte(tracked.loose("data/big.bin"))
    (tracked.root / "data/big.bin").unlink()

    result = tracked.run("--json", "checkout", expect=3)

    assert result.failed == {"data/big.bin": "corrupt-object"}
    assert not (tracked.root / "data/big.bin").exists()


def test_a_corrupted_cache_object_is_put_into_quarantine(tracked: Project) -> None:
    corrupt = tracked.loose("data/big.bin")
    _flip_last_byte(corrupt)
    (tracked.root / "data/big.bin").unlink()

    tracked.run("checkout", expect=3)

    assert not corrupt.exists()
    assert any(path.is_file() for path in (tracked.cache / "quarantine").rglob("*"))


def test_pull_fetches_a_corrupted_cache_object_again(published: Project) -> None:
    content = (published.root / "data/big.bin").read_bytes()
    _flip_last_byte(published.loose("data/big.bin"))
    (published.root / "data/big.bin").unlink()
    published.run("checkout", expect=3)

    published.run("pull")

    assert (published.root / "data/big.bin").read_bytes() == content


def test_a_corrupted_cache_pack_is_never_delivered(tracked: Project) -> None:
    for pack in (tracked.cache / "packs").rglob("*"):
        content = pack.read_bytes() if pack.is_file() else b""
        if b"alpha\n" in content:
            pack.chmod(0o644)
            pack.write_bytes(content.replace(b"alpha\n", b"alphA\n"))
    (tracked.root / "data/a.txt").unlink()

    result = tracked.run("--json", "checkout", expect=3)

    assert result.failed == {"data/a.txt": "corrupt-object"}
    assert not (tracked.root / "data/a.txt").exists()


def test_a_corrupted_remote_pack_is_never_delivered(published: Project) -> None:
    content = picture(published.root / "data")
    for pack in (path for path in (published.store / "packs").rglob("*") if path.is_file()):
        pack.chmod(0o644)
        data = bytearray(pack.read_bytes())
        for place in range(40, len(data), 50):
            data[place] ^= 255
        pack.write_bytes(data)
    other = published.clone("other")

    other.run("pull", expect=3)

    delivered = picture(other.root / "data")
    assert {name: content.get(name) for name in delivered} == delivered


# 4: an object deleted from the remote


@pytest.fixture
def robbed(published: Project) -> Project:
    """Give a project whose remote lost every pack after the push."""
    for pack in (path for path in (published.store / "packs").rglob("*") if path.is_file()):
        pack.unlink()
    return published


def test_a_push_uploads_again_what_the_remote_lost(robbed: Project) -> None:
    robbed.run("push")
    other = robbed.clone("other")
    other.run("pull")

    assert picture(other.root / "data") == picture(robbed.root / "data")


def test_a_pull_of_what_the_remote_lost_exits_3_and_names_the_files(robbed: Project) -> None:
    other = robbed.clone("other")

    result = other.run("--json", "pull", expect=3)

    assert set(result.failed.values()) == {"missing-object"}


def test_status_says_what_the_remote_lacks(robbed: Project) -> None:
    result = robbed.run("--json", "status", "--remote", expect=3)

    assert result.data["targets"][0]["remote_missing"] > 0


# 6: status during an add


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads process states from /proc")
def test_status_works_while_an_add_is_in_the_middle_of_its_work(tracked: Project) -> None:
    tracked.write({f"many/{number}.bin": blob(number, 9_000) for number in range(3_000)})
    before = size_below(tracked.cache)
    adding = start("add", "many", cwd=tracked.root, env=tracked.env)
    deadline = time.monotonic() + 30
    while size_below(tracked.cache) == before and adding.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    adding.send_signal(signal.SIGSTOP)
    try:
        time.sleep(0.05)
        stopped = _state(adding.pid)

        result = tracked.run("--json", "status", "data", timeout_s=20)
    finally:
        adding.send_signal(signal.SIGCONT)

    assert stopped == "T", "the add ended before it could be stopped"
    assert [target["state"] for target in result.data["targets"]] == ["clean"]
    assert finish(adding).exit == 0


def test_two_adds_at_once_both_succeed(project: Project) -> None:
    project.write({f"one/{number}.txt": f"one {number}\n" for number in range(500)})
    project.write({f"two/{number}.txt": f"two {number}\n" for number in range(500)})

    adds = [start("add", name, cwd=project.root, env=project.env) for name in ("one", "two")]

    assert [finish(child).exit for child in adds] == [0, 0]
    assert {target["state"] for target in project.ask("status")["targets"]} == {"clean"}


# 8: executable bits, symlinks, empty folders


def test_executables_symlinks_and_empty_folders_arrive_in_a_second_clone(project: Project) -> None:
    project.write({"data/run.sh": "#!/bin/sh\n", "data/sub/plain.txt": "plain\n"})
    (project.root / "data/run.sh").chmod(0o755)
    (project.root / "data/link").symlink_to("sub/plain.txt")
    (project.root / "data/folder-link").symlink_to("sub")
    (project.root / "data/empty/inner").mkdir(parents=True)
    project.record("data")
    publish(project)

    other = project.clone("other")
    other.run("pull")

    assert picture(other.root / "data") == picture(project.root / "data")


# 11: exit codes of status, missing objects, paths that match nothing


def test_status_can_exit_with_1_when_something_changed(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})

    tracked.run("status", "--exit-code", expect=1)


def test_status_with_exit_code_exits_with_0_when_nothing_changed(tracked: Project) -> None:
    tracked.run("status", "--exit-code", expect=0)


def test_status_says_what_is_missing_everywhere(gap: Project) -> None:
    assert gap.target()["missing"] == 1


@pytest.mark.parametrize(
    "verb", ["add", "status", "diff", "checkout", "untrack", "ls", "push", "fetch", "pull"]
)
def test_a_path_that_matches_nothing_is_an_error(published: Project, verb: str) -> None:
    result = published.run(verb, "no-such-path", expect=2)

    assert "no-such-path" in result.stderr


# 12: a byte appended, one file of many changed


def test_a_byte_appended_to_a_large_file_sends_a_few_chunks(project: Project) -> None:
    large = project.root / "model.bin"
    large.write_bytes(b"".join(blob(number, 1 << 20) for number in range(48)))
    project.record("model.bin")
    publish(project)
    before = size_below(project.store)
    with large.open("ab") as opened:
        opened.write(b"!")
    project.record("model.bin")

    sent = project.ask("push")["sent_bytes"]

    assert sent < 5 << 20
    assert size_below(project.store) - before < 5 << 20


@pytest.fixture
def wide(project: Project) -> Project:
    """Give a project with 20,000 small files, pushed, of which one was then changed and added."""
    for number in range(100):
        (project.root / f"data/{number:03}").mkdir(parents=True)
        for inner in range(200):
            path = project.root / f"data/{number:03}/{inner:03}.txt"
            path.write_text(f"{number} {inner}\n")
    project.record("data")
    publish(project)
    project.write({"data/050/100.txt": "changed\n"})
    return project


def test_one_change_among_20_000_files_writes_little_metadata(wide: Project) -> None:
    cache, store = size_below(wide.cache), size_below(wide.store)
    wide.record("data")
    wide.run("push")

    grown = {"cache": size_below(wide.cache) - cache, "store": size_below(wide.store) - store}

    assert {name: size < 300 << 10 for name, size in grown.items()} == {"cache": True, "store": True}, grown
