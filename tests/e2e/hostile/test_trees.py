"""A tree made to do harm is refused by name, and nothing is written where it points."""

from __future__ import annotations

from pathlib import Path

from dataver.model.tree import Entry
from tests.e2e.hostile.trees import file, link, objects_of, plant, pointer_to
from tests.e2e.hostile.watch import has_strace, run, strays, written_paths
from tests.e2e.project import Project, picture

_AIMS = (b"../../outside", b"/tmp", b"../.git/hooks", b"sub", b"..")

# name -> the leaves of the tree
TREES: dict[str, list[list[Entry]]] = {
    "a path out of the tree": [[file(b"../outside/evil")]],
    "a path out of the tree from within": [[file(b"a/../../outside/evil")]],
    "an absolute path": [[file(b"/tmp/evil")]],
    "a hook": [[file(b".git/hooks/post-checkout")]],
    "a hook in capitals": [[file(b".GIT/hooks/post-checkout")]],
    "a hook of a nested repository": [[file(b"sub/.git/config")]],
    "the settings": [[file(b".dataver/config.toml")]],
    "a short name": [[file(b"git~1/config")]],
    "a stream": [[file(b".git::$INDEX_ALLOCATION/config")]],
    "an invisible letter": [[file(".g\u200cit/config".encode())]],
    "a trailing dot": [[file(b".git./config")]],
    "an empty component": [[file(b"a//b")]],
    "a lone dot": [[file(b"./a")]],
    "a drive": [[file(b"C:evil")]],
    "a share": [[file(b"\\\\server\\evil")]],
    "a line feed": [[file(b"a\nb")]],
    "a NUL": [[file(b"a\0b")]],
    "a link out": [[link(b"up", b"../../outside")]],
    "an absolute link": [[link(b"up", b"/tmp")]],
    "a link to the hooks": [[link(b"hooks", b"../.git/hooks")]],
    "a file through a link": [[link(b"d", b"sub"), file(b"d/x"), file(b"sub/y")]],
    "a file through a link of another leaf": [[link(b"d", b"sub")], [file(b"d/x")]],
    "paths out of order": [[file(b"b"), file(b"a")]],
    "a path twice": [[file(b"a"), file(b"a")]],
    "leaves that overlap": [[file(b"b")], [file(b"a")]],
}


def _outside(project: Project) -> Path:
    outside = project.root.parent / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious\n")
    return outside


def _plant_all(project: Project, scratch: Path) -> dict[str, str]:
    """Commit a pointer to each hostile tree; give target -> name of its tree."""
    targets = {f"evil-{number}": name for number, name in enumerate(TREES)}
    everything, roots = {}, []
    for target, name in targets.items():
        root_id, objects = objects_of(TREES[name], _AIMS)
        everything.update(objects)
        roots.append(root_id)
        project.write({f"{target}.dv": pointer_to(root_id, 1)})
    plant(project.store, scratch, everything, roots)
    project.git("add", "-f", *(f"{target}.dv" for target in targets))
    project.commit("Innocent change")
    return targets


def test_hostile_trees_are_refused_by_name_and_write_nowhere(published: Project, tmp_path: Path) -> None:
    targets = _plant_all(published, tmp_path)
    victim = published.clone("victim")
    outside = _outside(published)
    victim.run("status")
    before = (picture(outside), _remote_files(published), _git_files(victim))
    log = tmp_path / "trace"

    pulled = run(victim, "pull", "--json", log=log)

    assert pulled.exit in (3, 6)
    refused = {path.split("/")[0]: code for path, code in pulled.failed.items()}
    accepted = {name for target, name in targets.items() if target not in refused}
    assert accepted == set()
    assert set(refused.values()) == {"hostile-input"}
    assert (picture(outside), _remote_files(published), _git_files(victim)) == before
    assert victim.read("data/a.txt") == "alpha\n"
    if has_strace():
        top = victim.root
        allowed = [top / "data", victim.local, published.store / "clients", Path("/dev"), Path("/proc")]
        allowed += [top / target for target in targets]
        assert strays(written_paths(log, top), allowed) == []


def test_hostile_trees_in_the_cache_are_refused_by_every_reader(published: Project, tmp_path: Path) -> None:
    targets = _plant_all(published, tmp_path)
    victim = published.clone("victim")
    outside = _outside(published)
    victim.run("fetch", expect=None)
    before = (picture(outside), _git_files(victim))

    for command in (("status",), ("checkout",), ("checkout", "--force"), ("diff", "HEAD~1", "HEAD")):
        done = victim.run(*command, expect=None)
        assert done.exit in (0, 3, 6)
    for target in targets:
        victim.run("ls", "-R", target, expect=None)
        victim.run("checkout", target, "--to", str(tmp_path / "export" / target), expect=None)

    assert (picture(outside), _git_files(victim)) == before
    assert victim.read("data/a.txt") == "alpha\n"


def _remote_files(project: Project) -> dict[bytes, tuple[str, bytes]]:
    """Give what lies on the remote, but for what each client says of itself."""
    return {p: value for p, value in picture(project.store).items() if not p.startswith(b"clients")}


def _git_files(project: Project) -> dict[bytes, tuple[str, bytes]]:
    """Give Git's own files, but for what dataver keeps beside them."""
    return {
        path: value
        for path, value in picture(project.root / ".git").items()
        if not path.startswith(b"dataver") and path != b"index"
    }
