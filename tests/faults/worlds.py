"""The worlds in which commands are broken: small repositories, a clone, and a folder as the remote.

A world is built once per command and copied for every point, always to one path, so that all that
depends on paths is the same in each run.  What a command should come to is not written down by
hand: it is what the same command does undisturbed (`Expected`).
"""

from __future__ import annotations

import compileall
import functools
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

import dataver
from tests import warm
from tests.e2e.cli import environment, program
from tests.e2e.project import Project, blob, new_project, publish
from tests.erasure.nowhere import nowhere
from tests.faults import oracle
from tests.faults.oracle import Broken, Tree, expect

OLD: Mapping[str, str | bytes] = {
    "data/a.txt": "alpha\n",
    "data/gone.txt": "removed in the second version\n",
    "data/large.bin": blob(1, 100_000),
    "data/sub/1.csv": "1,one\n",
    "data/sub/2.csv": "2,two\n",
}
NEW: Mapping[str, str | bytes] = {
    "data/a.txt": "alpha, second version\n",
    "data/large.bin": blob(2, 90_000),
    "data/more/3.csv": "3,three\n",
    "data/sub/1.csv": "1,one\n",
    "data/sub/2.csv": "2,two, second version\n",
}
UNSAVED: Mapping[str, str] = {
    "data/a.txt": "an edit that no version holds\n",
    "data/gone.txt": "another one\n",
    "data/more/3.csv": "in the way of a new file\n",
}

PERSON = "u1041"
MARKER = b"secret-of-the-person-"
OF_PERSON: Mapping[str, str | bytes] = {
    f"data/users/{PERSON}/note.txt": MARKER + b"note\n",
    f"data/users/{PERSON}/photo.bin": MARKER + blob(5, 90_000),
}

PLAN = "PLAN"
"""Stands for the digest of the one plan that is kept in the world."""

Cell = tuple[str, bytes]
"""What a path is (file, executable, symlink, folder), and its content or its digest."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One command, the world it runs in, and what of that world it may change."""

    name: str
    args: tuple[str, ...]
    build: Callable[[Project], None]
    """Brings a new project, in which `dataver init` was committed, to where the command runs."""
    where: str = "churn"
    """The project that it runs in: `churn`, or the clone `other`."""
    moves_files: bool = False
    """Whether it may bring files of the workspace to their new content; the others never touch one."""
    writes_remote: bool = False
    has_data: bool = True
    """Whether the cache must hold what every pointer names, as it does where the data was made."""
    unsaved: Mapping[str, str] | None = None
    """Content known nowhere else: in its place, or in the trash."""
    collects: bool = False
    """Whether it may take versions away that no tag names."""
    sample: int = 28
    """How many points the sample of `make test` takes of it: none of the large ones, for `make sweep`."""
    erases: str = ""
    """The folder of the target whose files it erases from every version, here and on the remote."""


# -- the worlds -------------------------------------------------------------------------------------


def _with_old(project: Project) -> None:
    project.write(OLD)
    project.record("data", tag="v1")


def _change_to_new(project: Project) -> None:
    shutil.rmtree(project.root / "data")
    project.write(NEW)
    (project.root / "data/sub/1.csv").chmod(0o755)
    (project.root / "data/link").symlink_to("a.txt")


def _with_both(project: Project) -> None:
    _with_old(project)
    _change_to_new(project)
    project.record("data", tag="v2")


def _at_old_with_new_pointer(project: Project) -> None:
    _with_both(project)
    project.git("switch", "-q", "--detach", "v1")
    project.run("checkout")
    project.git("switch", "-q", "main")


def _with_unsaved(project: Project) -> None:
    _at_old_with_new_pointer(project)
    project.write(UNSAVED)


def _with_remote(project: Project) -> None:
    project.run("remote", "add", "origin", "../store")
    project.commit("Name the remote")


def _published(project: Project) -> None:
    _with_old(project)
    publish(project)


def _cloned(project: Project) -> None:
    _published(project)
    project.clone("other")


def _clone_to_update(project: Project) -> None:
    _published(project)
    other = project.clone("other")
    other.run("pull")
    _change_to_new(project)
    project.record("data", tag="v2")
    project.run("push")
    other.git("pull", "-q")


def _then(*steps: Callable[[Project], None]) -> Callable[[Project], None]:
    def build(project: Project) -> None:
        for step in steps:
            step(project)

    return build


def _with_huge(project: Project) -> None:
    project.write({"data/huge.bin": blob(3, (8 << 20) + 300_000)})


def _with_many(project: Project) -> None:
    project.write({f"data/{n % 40}/{n}.txt": f"file {n}\n" for n in range(2_100)})


def _with_garbage(project: Project) -> None:
    """Add a version that nothing names afterwards, of whose pack a later version needs a part."""
    _with_both(project)
    project.write(
        {"data/a.txt": "never committed\n", "data/kept.txt": "kept\n", "data/x.bin": blob(4, 80_000)}
    )
    project.run("add", "data")
    project.write({"data/a.txt": NEW["data/a.txt"]})
    (project.root / "data/x.bin").unlink()
    project.record("data", tag="v3")


def _with_plan(project: Project) -> None:
    """Push two versions with a person's files beside others, and plan to erase the person."""
    project.write({**OLD, **OF_PERSON})
    project.record("data", tag="v1")
    _change_to_new(project)
    project.write({**OF_PERSON, f"data/users/{PERSON}/note.txt": MARKER + b"second note\n"})
    project.record("data", tag="v2")
    publish(project)
    project.run("push", "--all")
    project.run("purge", "plan", "--path", f"data/users/{PERSON}/**")


SCENES = (
    Scene("add", ("add", "data"), lambda project: project.write(OLD)),
    Scene("add-changed", ("add", "data"), _then(_with_old, _change_to_new)),
    Scene("checkout", ("checkout",), _at_old_with_new_pointer, moves_files=True),
    Scene("checkout-force", ("checkout", "--force"), _with_unsaved, moves_files=True, unsaved=UNSAVED),
    Scene("push", ("push",), _then(_with_old, _with_remote), writes_remote=True),
    Scene(
        "push-changed",
        ("push",),
        _then(_published, _change_to_new, lambda project: (project.record("data"), None)[1]),
        writes_remote=True,
    ),
    Scene("fetch", ("fetch",), _cloned, where="other", has_data=False),
    Scene("pull", ("pull",), _cloned, where="other", has_data=False, moves_files=True),
    Scene("pull-changed", ("pull",), _clone_to_update, where="other", has_data=False, moves_files=True),
    Scene("untrack", ("untrack", "data"), _with_old),
    Scene("gc", ("gc", "--now"), _with_garbage, collects=True),
    Scene(
        "purge",
        ("purge", "run", PLAN),
        _with_plan,
        moves_files=True,
        writes_remote=True,
        sample=12,
        erases=f"users/{PERSON}/",
    ),
    Scene("add-huge", ("add", "data"), _with_huge, sample=0),
    Scene("add-many", ("add", "-j", "2", "data"), _with_many, sample=0),
    Scene(
        "push-huge",
        ("push",),
        _then(_with_huge, lambda project: (project.record("data"), None)[1], _with_remote),
        writes_remote=True,
        sample=0,
    ),
)


# -- one world on disk --------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """A folder with a home, projects and a remote, in which one scene is played."""

    top: Path
    scene: Scene

    @property
    def env(self) -> dict[str, str]:
        return environment(
            self.top / "home", PYTHONHASHSEED="0", GIT_TEMPLATE_DIR="", COLUMNS="100", PYTHONNOUSERSITE="1"
        )

    @property
    def root(self) -> Path:
        """Give the project that the command runs in."""
        return self.top / self.scene.where

    @property
    def store(self) -> Path:
        return self.top / "store"

    @property
    def cache(self) -> Path:
        return self.root / ".git/dataver/cache"

    @property
    def args(self) -> tuple[str, ...]:
        """Give the command's arguments."""
        plans = self.root / ".git/dataver/purge"
        return tuple(next(plans.glob("*.json")).stem if a == PLAN else a for a in self.scene.args)

    @property
    def args_again(self) -> tuple[str, ...]:
        """Give the arguments that finish what broke: the same ones, but of an erasure whose record stands."""
        if self.scene.erases:
            said = self.run("--json", "purge", "list")
            expect(said.returncode == 0, f"purge list exits {said.returncode}: {said.stderr}")
            for begun in json.loads(said.stdout)["data"]["erasures"]:
                return "purge", "resume", begun["erasure"]
        return self.args

    def finish(self) -> subprocess.CompletedProcess[str]:
        """Run the command again; where the one that was killed still looks as if it were at work, later."""
        done = self.run(*self.args_again)
        if self.scene.erases and done.returncode == 20 and "writers" in done.stderr:
            for lease in (self.store / "leases").iterdir():
                os.utime(lease, (0, 0))
            done = self.run(*self.args_again)
        return done

    def argv(self) -> list[str]:
        return program(*self.args)

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run the program here, undisturbed."""
        done = warm.run(args, self.root, self.env)
        assert done is not None
        return done

    def files(self) -> dict[str, Cell]:
        """Give path -> what it is, for everything in the work tree that is not Git's or a temp file."""
        found = {path: cell for path, (cell, _, _) in _files(self.root).items()}
        # It holds the hash of a journal entry, which holds when it was written.
        return {path: cell for path, cell in found.items() if path != ".dataver/erasure.toml"}

    def stats(self) -> dict[str, tuple[Cell, int, int]]:
        """Give path -> (what it is, mode, mtime in ns) of the user's own files."""
        return {path: found for path, found in _files(self.root).items() if path.startswith("data/")}

    def status(self) -> str:
        """Give what `dataver status` says, and Git of what is staged."""
        said = self.run("status", "--porcelain")
        expect(said.returncode == 0, f"status exits {said.returncode}: {said.stderr}")
        git = subprocess.run(
            ["git", "status", "--porcelain"],
            cwd=self.root,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=90,
            check=True,
        )
        return said.stdout + git.stdout

    def temp_files(self) -> list[str]:
        return sorted(str(p.relative_to(self.top)) for p in self.top.rglob(f"{oracle.TEMP_PREFIX}*"))

    def temp_files_of_people(self) -> list[str]:
        """Give the temp files among the user's own files."""
        return [path for path in self.temp_files() if not {".git", "store"} & set(Path(path).parts)]

    def remote_files(self) -> dict[str, bytes]:
        """Give the files of the remote that a reader must leave alone."""
        if not self.store.exists():
            return {}
        found = (p for p in sorted(self.store.rglob("*")) if p.is_file())
        return {
            str(p.relative_to(self.store)): p.read_bytes()
            for p in found
            if "clients" not in p.relative_to(self.store).parts
        }


def _files(root: Path) -> dict[str, tuple[Cell, int, int]]:
    found: dict[str, tuple[Cell, int, int]] = {}
    for here, folders, names in os.walk(root):
        # Temp files and folders that a kill left are nobody's content.
        folders[:] = [name for name in folders if name != ".git" and not name.startswith(oracle.TEMP_PREFIX)]
        for name in [*folders, *names]:
            path = os.path.join(here, name)
            st = os.lstat(path)
            shown = os.path.relpath(path, root)
            if name.startswith(oracle.TEMP_PREFIX):
                continue
            if stat.S_ISDIR(st.st_mode):
                continue
            if stat.S_ISLNK(st.st_mode):
                cell = ("symlink", os.fsencode(os.readlink(path)))
            else:
                kind = "executable" if st.st_mode & 0o111 else "file"
                with open(path, "rb") as file:
                    cell = (kind, hashlib.file_digest(file, "blake2b").digest())
            found[shown] = (cell, st.st_mode, st.st_mtime_ns)
    return found


# -- templates ----------------------------------------------------------------------------------------


@functools.cache
def workplace() -> Path:
    """Give a folder of this process for worlds, in memory where the machine has such a place."""
    shared = Path("/dev/shm")
    base = shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())
    # Without bytecode every start of the program would compile the whole of it again.
    compileall.compile_dir(str(Path(dataver.__file__).parent), quiet=2)
    return Path(tempfile.mkdtemp(prefix="dataver-faults-", dir=base))


def remove_workplace() -> None:
    """Remove what `workplace` made, and end what it was used by."""
    warm.stop()
    shutil.rmtree(workplace(), ignore_errors=True)


def build(scene: Scene) -> World:
    """Build the world of *scene* anew, at the path where it will always lie."""
    top = workplace() / "world"
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir()
    os.environ["GIT_TEMPLATE_DIR"] = ""
    project = new_project(top / "churn", top / "home")
    shutil.rmtree(project.root / ".git/hooks", ignore_errors=True)
    project.run("config", "set", "--local", "transfer.jobs", "1")
    scene.build(project)
    world = World(top, scene)
    if scene.where != "churn":
        shutil.rmtree(world.root / ".git/hooks", ignore_errors=True)
        world.run("config", "set", "--local", "transfer.jobs", "1")
    return world


# -- what holds at every moment, and at the end ---------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """What a scene begins with, and what the undisturbed command makes of it."""

    template: Path
    before: dict[str, Cell]
    stats: dict[str, tuple[Cell, int, int]]
    remote: dict[str, bytes]
    known: dict[bytes, Tree]
    """Root id -> version that the cache held at the beginning."""
    shared: dict[bytes, Tree]
    """Root id -> version that the remote held at the beginning."""
    after: dict[str, Cell]
    pointers: dict[str, bytes]
    held: dict[bytes, Tree]
    """Versions that the cache must hold at the end."""
    sent: dict[bytes, Tree]
    """Versions that the remote must hold at the end."""
    status: str


def prepare(scene: Scene) -> Expected:
    """Build a scene's world, keep it as a template, and play it once undisturbed."""
    world = build(scene)
    template = workplace() / f"template-{scene.name}"
    shutil.rmtree(template, ignore_errors=True)
    shutil.copytree(world.top, template, symlinks=True)
    known = _versions(oracle.read_cache(world.cache))
    if scene.collects:
        tagged = _tagged(world)
        known = {root: version for root, version in known.items() if root in tagged}
    shared = _versions(oracle.read_remote(world.store).objects)
    before, stats, remote = world.files(), world.stats(), world.remote_files()
    done = world.run(*world.args)
    assert done.returncode == 0, done.stderr
    view = oracle.read_remote(world.store)
    return Expected(
        template=template,
        before=before,
        stats=stats,
        remote=remote,
        known=known,
        shared=shared,
        after=world.files(),
        pointers=oracle.pointers_below(world.root),
        held=_versions(oracle.read_cache(world.cache)),
        sent={root: view.objects.restore(root) for root in view.roots},
        status=world.status(),
    )


def _versions(objects: oracle.Objects) -> dict[bytes, Tree]:
    return {name[1]: objects.restore(name[1]) for name in objects.packs if name[0] == oracle.ROOT}


def _tagged(world: World) -> set[bytes]:
    """Give the roots that the tags' pointers name."""
    found = set()
    for tag in ("v1", "v2", "v3"):
        command = ["git", "show", f"{tag}:data.dv"]
        said = subprocess.run(
            command, cwd=world.root, env=world.env, capture_output=True, timeout=90, check=True
        )
        found.add(oracle.pointer_root(said.stdout))
    assert len(found) == 3
    return found


def copy_of(scene: Scene, expected: Expected, top: Path | None = None) -> World:
    """Give a fresh copy of a scene's world, where it always lies; or at *top*."""
    top = top or workplace() / "world"
    shutil.rmtree(top, ignore_errors=True)
    shutil.copytree(expected.template, top, symlinks=True)
    return World(top, scene)


def check_always(world: World, expected: Expected) -> None:
    """Check what holds at any moment, whatever broke.  Raises: `Broken`."""
    scene = world.scene
    if scene.moves_files:
        _check_old_or_new(world, expected)
    if scene.erases:
        _check_erasing(world, expected)
        return
    if not scene.moves_files:
        expect(world.stats() == expected.stats, "a file of the user is not as it was")
    if scene.unsaved:
        _check_unsaved(world, scene.unsaved)
    objects = oracle.read_cache(world.cache)
    for root, version in expected.known.items():
        expect(objects.restore(root) == version, "the cache holds another version than before")
    if scene.has_data:
        for path, root in oracle.pointers_below(world.root).items():
            expect(bool(objects.restore(root)), f"{path} names nothing")
    if scene.writes_remote:
        view = oracle.read_remote(world.store).objects
        for root, version in expected.shared.items():
            expect(view.restore(root) == version, "the remote holds another version than before")
    else:
        expect(world.remote_files() == expected.remote, "a command that only reads it changed the remote")


def _check_old_or_new(world: World, expected: Expected) -> None:
    files = world.files()
    for path in {*files, *expected.before, *expected.after}:
        found = files.get(path)
        allowed = (expected.before.get(path), expected.after.get(path))
        expect(found in allowed, f"{path} is neither the old nor the new: {found}")


def _check_erasing(world: World, expected: Expected) -> None:
    """Check that all else is there, and that nothing is missing anywhere before a record says so."""
    gone = world.scene.erases
    remote, cache = oracle.read_remote(world.store), oracle.read_cache(world.cache)
    for where, objects, before in (
        ("remote", remote.objects, expected.shared),
        ("cache", cache, expected.known),
    ):
        for root, version in before.items():
            kept = {path: cell for path, cell in version.items() if not path.startswith(gone)}
            expect(objects.restore(root, gone) == kept, f"the {where} holds another version than before")
            if not remote.has_records:
                expect(objects.restore(root) == version, f"the {where} lost it before a record was there")
    expect(cache.stubs <= remote.erased, "an entry is missing in the cache and no record erased it")


def _check_nowhere(world: World) -> None:
    oids = [
        blake3(c).digest() for c in (*OF_PERSON.values(), MARKER + b"second note\n") if isinstance(c, bytes)
    ]
    found = nowhere([world.top], contents=[MARKER], names=[PERSON.encode()], oids=oids)
    expect(not found, f"it is still there: {found[:5]}")


def _check_unsaved(world: World, unsaved: Mapping[str, str]) -> None:
    trash = world.root / ".git/dataver/trash"
    kept = {p.read_bytes() for p in trash.rglob("*") if p.is_file()} if trash.exists() else set()
    for path, content in unsaved.items():
        here = world.root / path
        in_place = here.is_file() and here.read_bytes() == content.encode()
        expect(in_place or content.encode() in kept, f"the unsaved {path} is lost")


def check_done(world: World, expected: Expected) -> None:
    """Check that the command came to what it comes to undisturbed.  Raises: `Broken`."""
    check_always(world, expected)
    expect(world.files() == expected.after, f"the workspace is another: {_differences(world, expected)}")
    expect(oracle.pointers_below(world.root) == expected.pointers, "the pointers are others")
    objects = oracle.read_cache(world.cache)
    for root, version in expected.held.items():
        expect(objects.restore(root) == version, "the cache holds another version than it should")
    if world.scene.erases:
        _check_nowhere(world)
    view = oracle.read_remote(world.store)
    expect(view.roots == set(expected.sent), "the journal names other versions than it should")
    for root, version in expected.sent.items():
        expect(view.objects.restore(root) == version, "the remote holds another version than it should")


def check_status(world: World, expected: Expected) -> None:
    """Check that `status` and Git see what they see after the undisturbed command.  Raises: `Broken`."""
    status = world.status()
    expect(status == expected.status, f"status says {status!r}, not {expected.status!r}")


def _differences(world: World, expected: Expected) -> str:
    files = world.files()
    paths = sorted(p for p in {*files, *expected.after} if files.get(p) != expected.after.get(p))
    return ", ".join(paths)


__all__ = [
    "SCENES",
    "Broken",
    "Expected",
    "Scene",
    "World",
    "check_always",
    "check_done",
    "check_status",
    "copy_of",
    "prepare",
    "remove_workplace",
]
