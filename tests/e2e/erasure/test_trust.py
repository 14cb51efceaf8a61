"""Who may erase, and what is not believed: forged, replayed, rolled back records; an altered receipt."""

from __future__ import annotations

import json
import os
import shutil
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
from dataver.formats.tree import build_leaf, leaf_key
from dataver.hashing import BLAKE3, digest
from dataver.model.names import Oid, oid_of_digest
from dataver.repo import Repo
from dataver.store.journal import Draft
from tests.e2e.erasure.bench import FOLDER, MARKER, PERSON, Case, other_files, person_files, said, survivors
from tests.e2e.project import Project
from tests.erasure.signing import SigningKey, new_key


def _oid(path: str, version: int = 3) -> Oid:
    return oid_of_digest(BLAKE3, digest(BLAKE3, person_files(version)[path]))


def _forge(project: Project, body: bytes, kind: str = DENY) -> None:
    """Append a record to the journal, as who may write to the remote can."""
    with Repo.open(project.root) as repo:
        remote = repo.remote()
        remote.refresh()
        remote.publish(Draft(kind, "forger", os.urandom(16).hex(), repo.repo_id, body), lambda record: False)


def _deny_body(project: Project, uid: bytes = b"\x07" * 16) -> bytes:
    with Repo.open(project.root) as repo:
        secret = repo.secret
        assert secret is not None
        one = deny_id(secret.deny_key, TAG_OID, _oid(f"{FOLDER}/note.txt"))
    return encode_signed(encode_record(Record(DENY, uid, deny=(one,))))


def _appoint(case: Case, *, approvals: int = 1, keys: int = 1) -> list[SigningKey]:
    found = [new_key(case.tmp, f"key{number}") for number in range(keys)]
    publics = [str(key.path.with_suffix(".pub")) for key in found]
    signing = [word for key in found for word in ("--signing-key", str(key.path))]
    case.project.run("purge", "signers", *publics, "--approvals", str(approvals), *signing)
    case.project.git("commit", "-qam", "Appoint signers")
    return found


def test_with_signers_an_erasure_needs_their_approvals(folder_case: Case) -> None:
    project = folder_case.project
    one, two = _appoint(folder_case, approvals=2, keys=2)
    plan = folder_case.plan()["data"]["plan"]
    before = folder_case.found()

    project.run("purge", "run", plan, expect=13)
    project.run("purge", "approve", plan, "--signing-key", str(one.path))
    project.run("purge", "run", plan, expect=13)
    stranger = new_key(folder_case.tmp, "stranger")
    project.run("purge", "approve", plan, "--signing-key", str(stranger.path), expect=13)
    assert len(folder_case.found()) >= len(before) > 0
    project.run("purge", "approve", plan, "--signing-key", str(two.path))
    project.run("purge", "run", plan, "--signing-key", str(one.path))

    assert folder_case.found() == []
    assert len(project.ask("purge", "list")["erasures"][0]["signed_by"]) == 2
    assert project.ask("purge", "list")["erasures"][0]["state"] == "closed"


def test_a_plan_is_signed_elsewhere_by_ssh_keygen(folder_case: Case) -> None:
    (key,) = _appoint(folder_case)
    plan = folder_case.plan()["data"]["plan"]
    text = folder_case.project.run("purge", "approve", plan, "--text").stdout
    signature = folder_case.tmp / "signature"
    signature.write_text(key.sign(text.encode()).armored)

    folder_case.project.run("purge", "approve", plan, "--signature", str(signature))
    folder_case.project.run("purge", "run", plan)

    assert folder_case.found() == []
    assert PERSON not in text


def test_after_consent_was_given_again_the_content_may_come_back(folder_case: Case) -> None:
    project = folder_case.project
    erasure = folder_case.erase()
    again = {f"{FOLDER}/note.txt": person_files(3)[f"{FOLDER}/note.txt"]}
    project.write(again)
    project.run("add", "data", expect=12)

    project.run("purge", "lift", erasure)
    project.run("add", "data")
    project.commit("Consent", tag="v4")
    project.run("push")
    clone = project.clone("fresh")
    clone.run("pull")

    assert (clone.root / f"{FOLDER}/note.txt").read_bytes() == again[f"{FOLDER}/note.txt"]
    clone.run("fetch", "--all")
    assert survivors(clone, "v1") == other_files(1)


def test_the_very_same_folder_may_come_back_after_consent(folder_case: Case) -> None:
    """Its leaf would have the id and the commitments that were erased."""
    project = folder_case.project
    project.run("purge", "lift", folder_case.erase())
    project.write({**other_files(2), **person_files(2)})
    project.run("add", "data")
    project.commit("All of it again", tag="v4")
    project.run("push")
    clone = project.clone("fresh")
    clone.run("pull")

    assert survivors(clone, "v4") == {**other_files(2), **person_files(2)}
    project.run("add", "data")
    assert project.git("status", "--porcelain") == ""


def test_a_secret_that_a_command_prints_lies_on_no_remote(project: Project) -> None:
    secret = project.root.parent / "secret"
    secret.write_text("ab" * 32 + "\n")
    (project.local / "keys.toml").unlink()
    project.run("config", "set", "--local", "purge.key_cmd", f"cat {secret}")
    project.run("remote", "add", "origin", "../store")
    project.write({"data/users/u1/a.txt": "person\n", "data/b.txt": "other\n"})
    project.record("data")
    project.run("push")

    plan = project.ask("purge", "plan", "--path", "data/users/u1/**")["plan"]
    project.run("purge", "run", plan)

    assert not (project.store / "keys/secret").exists()
    assert not (project.local / "keys.toml").exists()
    project.write({"data/again.txt": "person\n"})
    project.run("add", "data", expect=12)
    secret.write_text("no secret\n")
    assert "purge.key_cmd" in said(project.run("add", "data", expect=2))


def test_an_unsigned_record_where_signers_exist_is_refused_and_deletes_nothing(folder_case: Case) -> None:
    _appoint(folder_case)
    folder_case.project.run("push")
    mate = folder_case.mate()
    _forge(folder_case.project, _deny_body(folder_case.project))
    before = survivors(mate, "v3")

    result = mate.run("pull", expect=13)

    assert result.code == "signature"
    assert survivors(mate, "v3") == before


def test_a_record_that_is_replayed_is_refused(folder_case: Case) -> None:
    mate = folder_case.mate()
    body = _deny_body(folder_case.project)
    _forge(folder_case.project, body)
    _forge(folder_case.project, body)

    assert "replay" in said(mate.run("pull", expect=13))


def test_a_record_that_would_delete_much_is_asked_about_first(folder_case: Case) -> None:
    project = folder_case.project
    project.write({f"data/many/{number}.txt": f"file {number}\n" for number in range(200)})
    project.record("data", message="Many")
    project.run("push")
    mate = folder_case.mate()
    with Repo.open(project.root) as repo:
        secret = repo.secret
        assert secret is not None
        contents = (f"file {number}\n".encode() for number in range(200))
        ids = sorted(
            deny_id(secret.deny_key, TAG_OID, oid_of_digest(BLAKE3, digest(BLAKE3, c))) for c in contents
        )
    _forge(project, encode_signed(encode_record(Record(DENY, b"\x09" * 16, deny=tuple(ids)))))

    result = mate.run("pull", expect=13)

    assert "purge.max_auto" in said(result)
    assert (mate.root / "data/many/7.txt").read_text() == "file 7\n"


@pytest.mark.parametrize("is_fresh", [False, True])
def test_a_journal_that_was_rolled_back_behind_an_erasure_is_refused(
    folder_case: Case, is_fresh: bool
) -> None:
    project = folder_case.project
    backup = folder_case.tmp / "backup"
    shutil.copytree(folder_case.store.url, backup)
    erasure = folder_case.erase()
    project.commit("Erase")
    shutil.rmtree(folder_case.store.url)
    shutil.copytree(backup, folder_case.store.url)

    clone = project.clone("fresh") if is_fresh else project
    result = clone.run("fetch", expect=None)

    assert result.exit in (3, 13), said(result)
    shutil.rmtree(backup)
    project.run("purge", "sweep", erasure, "--restored", "origin")
    assert folder_case.found() == []
    project.git("commit", "-qam", "Swept", expect=None)
    again = project.clone("again")
    again.run("pull")
    assert not (again.root / FOLDER).exists()


def test_a_receipt_changed_by_one_character_fails_the_audit(folder_case: Case) -> None:
    project = folder_case.project
    plan = folder_case.plan()["data"]["plan"]
    receipt = Path(project.ask("purge", "run", plan)["receipt"])
    project.run("purge", "audit", str(receipt))
    text = receipt.read_text()
    altered = folder_case.tmp / "altered.json"
    altered.write_text(text.replace('"commits","3"', '"commits","2"'))
    assert altered.read_text() != text

    project.run("purge", "audit", str(altered), expect=13)


def test_receipt_records_page_and_git_hold_no_name_and_no_content_hash(folder_case: Case) -> None:
    project = folder_case.project
    plan = folder_case.plan()["data"]["plan"]
    ran = project.ask("purge", "run", plan)
    page = folder_case.tmp / "page.html"
    project.run("purge", "show", ran["erasure"], "--page", str(page))
    project.commit("Erase")

    assert folder_case.found(project, others=[page, Path(ran["receipt"])]) == []
    assert json.loads(Path(ran["receipt"]).read_text())["erasure"] == ran["erasure"]


def test_a_guess_cannot_be_confirmed_without_the_repository_secret(folder_case: Case) -> None:
    """Remote, Git, redacted leaf, exact path, content and size are known; the secret is not."""
    project = folder_case.project
    with Repo.open(project.root) as repo:
        root = repo.trees.root(bytes.fromhex(project.git("show", "v3:data.dv").split('tree = "')[1][:64]))
        refs = [
            ref for ref in root.leaves if any(PERSON.encode() in e.path for e in repo.trees.leaf(ref).view)
        ]
        entries = [list(repo.trees.leaf(ref).view) for ref in refs]
        tree_key = repo.secret.tree_key  # type: ignore[union-attr]
    folder_case.erase()
    shutil.rmtree(Path(folder_case.store.url) / "keys")

    guessed = [build_leaf(group, lambda encoded: leaf_key(b"\0" * 32, encoded))[0] for group in entries]
    known = [build_leaf(group, lambda encoded: leaf_key(tree_key, encoded))[0] for group in entries]

    # Whoever has the secret and every byte of the leaf can test a guess; nobody else.
    assert guessed != [ref.leaf_id for ref in refs]
    assert known == [ref.leaf_id for ref in refs]
    everything = b"".join(p.read_bytes() for p in Path(folder_case.store.url).rglob("*") if p.is_file())
    assert _oid(f"{FOLDER}/note.txt")[1:] not in everything
    assert MARKER not in everything
    with Repo.open(project.root) as repo:
        for ref in refs:
            left = repo.trees.leaf(ref)
            assert left.key == b""
            # The leaf that is left has salts of its survivors alone.
            assert len(left.salts) == len(left.entries)


def test_data_under_a_subject_rule_is_not_confirmed_even_with_the_secret_but_by_the_deny_ids(
    folder_case: Case,
) -> None:
    project = folder_case.project
    (project.root / ".dataver/subjects.toml").write_text(
        'version = 1\n\n[[rule]]\ntarget = "data"\npath = "users/{subject}/**"\n'
    )
    project.git("add", "-A")
    project.run("add", "data")
    project.commit("A rule", tag="v4")
    project.run("push")
    with Repo.open(project.root) as repo:
        root = repo.trees.root(bytes.fromhex(project.git("show", "v4:data.dv").split('tree = "')[1][:64]))
        refs = [
            ref for ref in root.leaves if any(PERSON.encode() in e.path for e in repo.trees.leaf(ref).view)
        ]
        entries = [list(repo.trees.leaf(ref).view) for ref in refs]
        secret = repo.secret
        assert secret is not None
    folder_case.erase()

    known = [build_leaf(group, lambda encoded: leaf_key(secret.tree_key, encoded))[0] for group in entries]

    assert not set(known) & {ref.leaf_id for ref in refs}
    with Repo.open(project.root) as repo:
        assert deny_id(secret.deny_key, TAG_OID, _oid(f"{FOLDER}/note.txt")) in repo.erasures.denied
        unknown = deny_id(
            secret.deny_key, TAG_ENTRY, entry_data(b"users/u1041/note.txt", _oid(f"{FOLDER}/note.txt"))
        )
        assert unknown not in repo.erasures.denied
