"""What a remote's erasure records say is obeyed by every verb that meets it, and by those after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dataver.formats.erasure import (
    DENY,
    TAG_ENTRY,
    TAG_OID,
    Record,
    deny_id,
    encode_record,
    encode_signed,
    entry_data,
)
from dataver.formats.pointer import decode_pointer
from dataver.formats.redaction import Erased, redact
from dataver.formats.root import encode_root
from dataver.formats.tree import decode_leaf, encode_leaf
from dataver.hashing import BLAKE3, digest
from dataver.model.names import Oid, blob_name, leaf_name, oid_of_digest, root_name
from dataver.ops.checkout import checkout
from dataver.ops.diff import diff
from dataver.ops.fetch import fetch
from dataver.ops.ls import ls
from dataver.ops.pull import pull
from dataver.ops.push import push
from dataver.ops.status import status
from dataver.repo import Repo
from dataver.store.cache_writer import CacheWriter
from dataver.store.journal import Draft
from dataver.transfer.orders import read_sound
from tests.ops.exchange_bench import FILES, clone, git, new_project, packs, record, write

NAME = b"a.txt"
PATH = "data/a.txt"
ERASURE = "E-1f1f1f1f"


def oid_of(text: str) -> Oid:
    return oid_of_digest(BLAKE3, digest(BLAKE3, text.encode()))


def journal_record(top: Path, found: Record) -> None:
    """Append an unsigned record to the journal of the project's remote."""
    with Repo.open(str(top)) as repo:
        remote = repo.remote()
        remote.refresh()
        draft = Draft(found.kind, "purge", "a" * 32, repo.repo_id, encode_signed(encode_record(found)))

        def again(_: object) -> Draft:
            return draft

        with remote.begin("purge", repo.repo_id) as session:
            session._parts.journal.append(draft, time_s=2_000_000_000, overtaken=again)


def deny_content(top: Path, text: str) -> None:
    with Repo.open(str(top)) as repo:
        assert repo.secret is not None
        denied = deny_id(repo.secret.deny_key, TAG_OID, oid_of(text))
    journal_record(top, Record(kind=DENY, uid=b"\x1f" * 16, deny=(denied,)))


def deny_entry(top: Path, path: bytes, text: str) -> None:
    with Repo.open(str(top)) as repo:
        assert repo.secret is not None
        denied = deny_id(repo.secret.deny_key, TAG_ENTRY, entry_data(path, oid_of(text)))
    journal_record(top, Record(kind=DENY, uid=b"\x1f" * 16, deny=(denied,)))


def redact_entry(top: Path) -> None:
    """Append the record that erases `data/a.txt` from its leaf."""
    with Repo.open(str(top)) as repo:
        root_id = decode_pointer((top / "data.dv").read_bytes(), "data.dv").root_id
        (ref,) = repo.trees.root(root_id).leaves
        leaf = repo.trees.leaf(ref)
        gone = next(c for e, c in zip(leaf.entries, leaf.commitments, strict=True) if e.path == NAME)
    journal_record(top, Record(kind=DENY, uid=b"\x1f" * 16, redact={ref.leaf_id: (gone,)}))


def codes(found: Sequence[object]) -> list[str]:
    return [failure.code for failure in found]  # type: ignore[attr-defined]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return new_project(tmp_path / "churn")


@pytest.fixture
def published(project: Path) -> Path:
    with Repo.open(str(project)) as repo:
        push(repo)
    return project


def lies_there(store: Path, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in packs(store))


# -- entries that a record redacts ------------------------------------------------------------------


def test_a_pull_leaves_a_redacted_entry_out_and_says_so(published: Path) -> None:
    redact_entry(published)
    other = clone(published, "other")

    with Repo.open(str(other)) as repo:
        done = pull(repo)

    assert (done.failed, codes(done.warnings), done.exit_status) == ((), ["erased"], 0)
    assert ERASURE in done.warnings[0].message
    assert (done.files, (other / PATH).exists()) == (3, False)


def test_after_a_fetch_no_view_shows_a_redacted_entry(published: Path) -> None:
    redact_entry(published)
    other = clone(published, "other")

    with Repo.open(str(other)) as repo:
        fetch(repo)
        placed = checkout(repo)
        listed = {entry.path for entry in ls(repo).entries}
        shown = status(repo)
        changes = diff(repo)

    assert PATH.encode() not in listed
    assert (placed.failed, codes(placed.warnings)) == ((), ["erased"])
    assert (shown.is_clean, [t.erased for t in shown.targets]) == (True, [1])
    assert changes.targets == ()


def test_a_redaction_changes_neither_pointer_nor_commit(published: Path) -> None:
    before = (published / "data.dv").read_bytes()
    redact_entry(published)

    with Repo.open(str(published)) as repo:
        pull(repo)

    assert (published / "data.dv").read_bytes() == before
    assert git(published, "status", "--porcelain") == ""


def test_a_pull_takes_an_erased_file_out_of_the_workspace(published: Path) -> None:
    other = clone(published, "other")
    with Repo.open(str(other)) as repo:
        pull(repo)
    redact_entry(published)

    with Repo.open(str(other)) as repo:
        done = pull(repo)

    assert done.failed == ()
    assert not (other / PATH).exists()
    assert (other / "data/b.txt").read_text() == FILES["data/b.txt"]


def test_an_erased_file_that_the_user_changed_stays(published: Path) -> None:
    other = clone(published, "other")
    with Repo.open(str(other)) as repo:
        pull(repo)
    redact_entry(published)
    write(other, {PATH: "mine\n"})

    with Repo.open(str(other)) as repo:
        pull(repo)

    assert (other / PATH).read_text() == "mine\n"


def test_a_push_from_a_clone_with_the_intact_leaf_sends_it_redacted(project: Path) -> None:
    redact_entry(project)

    with Repo.open(str(project)) as repo:
        done = push(repo)

    with Repo.open(str(project)) as repo:
        remote = repo.remote()
        remote.refresh()
        (ref,) = repo.trees.root(decode_pointer((project / "data.dv").read_bytes(), "data.dv").root_id).leaves
        ((_, data),) = next(iter(read_sound(remote, [leaf_name(ref.leaf_id)], 1)))
    assert done.failed == ()
    assert len(decode_leaf(data, ref.leaf_id).erased) == 1
    assert not lies_there(project.parent / "store", FILES[PATH])


def test_a_stub_that_no_record_names_is_damage(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        root = repo.trees.root(decode_pointer((project / "data.dv").read_bytes(), "data.dv").root_id)
        leaf = repo.trees.leaf(root.leaves[0])
        stubbed = encode_leaf(redact(leaf, Erased(frozenset(leaf.commitments[:1]), {})))
        for pack in Path(repo.cache.folder, "packs").glob("s-*"):
            pack.unlink()
    with Repo.open(str(project)) as repo, CacheWriter(repo.cache) as writer:
        writer.add(leaf_name(leaf.leaf_id), stubbed)
        writer.add(root_name(root.root_id), encode_root(root.leaves, root.guide)[1])
        writer.commit()

    with Repo.open(str(project)) as repo:
        done = push(repo)

    assert (done.exit_status, [failure.path for failure in done.failed]) == (3, [b"data"])


# -- content that a record denies -------------------------------------------------------------------


def test_denied_content_is_not_sent_and_a_fresh_clone_takes_the_rest(project: Path) -> None:
    deny_content(project, FILES[PATH])
    other = clone(project, "other")

    with Repo.open(str(project)) as repo:
        sent = push(repo)
    with Repo.open(str(other)) as repo:
        done = pull(repo)

    assert (sent.failed, [(w.path, w.code) for w in sent.warnings]) == ((), [(PATH.encode(), "erased")])
    assert not lies_there(project.parent / "store", FILES[PATH])
    assert (done.failed, done.files) == ((), 3)
    assert not (other / PATH).exists()


def test_content_denied_at_one_path_is_sent_for_another(project: Path) -> None:
    write(project, {"data/copy.txt": FILES[PATH]})
    record(project, "data")
    deny_entry(project, NAME, FILES[PATH])
    other = clone(project, "other")

    with Repo.open(str(project)) as repo:
        sent = push(repo)
    with Repo.open(str(other)) as repo:
        pull(repo)

    assert [w.path for w in sent.warnings] == [PATH.encode()]
    assert (other / "data/copy.txt").read_text() == FILES[PATH]
    assert not (other / PATH).exists()


def test_denied_content_that_still_lies_on_the_remote_is_not_fetched(published: Path) -> None:
    deny_content(published, FILES[PATH])
    other = clone(published, "other")

    with Repo.open(str(other)) as repo:
        done = pull(repo)
        has_it = repo.cache.has(blob_name(oid_of(FILES[PATH])))

    assert (done.exit_status, has_it, (other / PATH).exists()) == (0, False, False)
    assert {(w.path, w.code) for w in done.warnings} == {(PATH.encode(), "erased"), (b"data", "erased")}


def test_denied_content_leaves_workspace_and_cache_with_the_fetch(published: Path) -> None:
    deny_content(published, FILES[PATH])

    with Repo.open(str(published)) as repo:
        done = fetch(repo)
        has_it = repo.cache.has(blob_name(oid_of(FILES[PATH])))

    assert (done.exit_status, has_it, (published / PATH).exists()) == (0, False, False)
    assert {(w.path, w.code) for w in done.warnings} == {(PATH.encode(), "erased"), (b"data", "erased")}


def test_a_checkout_after_that_says_what_is_left_out_and_status_is_clean(published: Path) -> None:
    deny_content(published, FILES[PATH])
    with Repo.open(str(published)) as repo:
        fetch(repo)

    with Repo.open(str(published)) as repo:
        done = checkout(repo, force=True)
        shown = status(repo)

    assert (done.exit_status, (published / PATH).exists()) == (0, False)
    assert [(w.path, w.code) for w in done.warnings] == [(b"data", "erased")]
    assert ERASURE in done.warnings[0].message
    assert [c.path for t in shown.targets for c in t.changes] == []
