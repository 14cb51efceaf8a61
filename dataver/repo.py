"""One repository: where it is, what it is configured to, and its stores, each opened when first asked.

Has no verbs: those are functions in `ops` that take a `Repo`.

Longer than 300 lines because the stores are opened from each other: cache, trees, erasures, remotes, locks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from dataver.disk.atomic import make_folders
from dataver.disk.disk import Clock, Disk
from dataver.disk.lock import hold
from dataver.disk.safe_open import check_own_folders
from dataver.errors import (
    NoDataverError,
    NoRemoteError,
    PermissionDeniedError,
    RemoteError,
    UnknownRemoteError,
)
from dataver.git import Git, find_place
from dataver.hashing import derive
from dataver.index.state import State
from dataver.progress import SILENT, Progress
from dataver.workspace import local
from dataver.workspace.gitfiles import ensure_drivers
from dataver.workspace.pointers import Target, list_targets, version_name
from dataver.workspace.record import Records
from dataver.workspace.users import register_user
from dataver.workspace.workspace import Workspace

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dataver.disk.claims import Claims
    from dataver.erasure.records import ErasureState
    from dataver.formats.keys import Secret
    from dataver.model.config import Config
    from dataver.model.names import Oid
    from dataver.store.cache import Cache
    from dataver.store.remote import Remote
    from dataver.store.trees import Trees


def has_records(common_folder: str) -> bool:
    """Tell, by names alone, whether any remote's erasure records are known here."""
    try:
        return any(name.endswith(".records") for name in os.listdir(f"{common_folder}/remotes"))
    except OSError:
        return False


CONFIG_FOLDER = ".dataver"
CONFIG_FILE = ".dataver/config.toml"


def repo_id_of(secret: Secret) -> str:
    """Return the id of the repository that has *secret*."""
    return derive("dataver v1 repo id", secret.value)[:16].hex()


class Repo:
    """One work tree with its cache, index, remotes and configuration.

    Used as a context manager, or closed by `close`.
    """

    def __init__(
        self,
        start: str,
        *,
        overrides: Mapping[str, str] | None = None,
        disk: Disk | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Open the repository that the folder *start* lies in; see `open`."""
        self.place = find_place(start)
        self.top = self.place.top
        self.cwd = os.path.realpath(start)
        self.disk = disk or Disk()
        self.clock = clock or Clock()
        self.overrides = dict(overrides or {})
        self.common_folder = f"{self.place.common_dir}/dataver"
        """What all work trees share: cache, keys, locks, what was seen of remotes."""
        self.own_folder = f"{self.place.git_dir}/dataver"
        """What belongs to this work tree alone: index and record."""
        if not os.path.isfile(f"{self.top}/{CONFIG_FILE}"):
            raise NoDataverError(self.top)
        check_own_folders(self.common_folder, ("locks", "remotes", "trash"))
        check_own_folders(self.own_folder, ("index", "record", "index/state.sqlite"))
        self.git = Git(self.top, self.place)
        ensure_drivers(self.git)
        self._remotes: dict[str, Remote] = {}
        self._told_secret: Secret | None = None
        self._cache_hold: Literal["", "shared", "exclusive"] = ""

    @classmethod
    def open(cls, start: str | os.PathLike[str] = ".", *, overrides: Mapping[str, str] | None = None) -> Repo:
        """Open the repository that the folder *start* lies in.

        *overrides* are configuration values by key, stronger than every file.

        Raises: NoGitError, NoDataverError.
        """
        return cls(os.fspath(start), overrides=overrides)

    def __enter__(self) -> Repo:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of open files and connections."""
        if "cache" in self.__dict__:
            self.cache.close()
        for remote in self._remotes.values():
            remote.close()
        self._remotes = {}

    @cached_property
    def state(self) -> State:
        return State(f"{self.own_folder}/index/state.sqlite")

    @cached_property
    def records(self) -> Records:
        return Records(f"{self.own_folder}/record", self.disk)

    @cached_property
    def config(self) -> Config:
        """All settings in force.  Raises: ConfigError."""
        return local.load_config(self.top, self.common_folder, self.overrides, self.state)

    def reload_config(self) -> None:
        """Forget what was read of the configuration: a verb has changed it."""
        self.__dict__.pop("config", None)

    @property
    def cache_folder(self) -> str:
        folder = self.config.cache_dir
        return os.path.join(self.top, os.path.expanduser(folder)) if folder else f"{self.common_folder}/cache"

    @cached_property
    def cache(self) -> Cache:
        from dataver.store.cache import Cache  # 30 ms that a clean status does not pay

        scratch = f"{self.common_folder}/tmp"
        cache = Cache(self.cache_folder, self.disk, pack_below=self.config.pack_below, scratch=scratch)
        if os.path.isdir(cache.folder):
            register_user(cache, self.clone_id, self.place)
        return cache

    @cached_property
    def workspace(self) -> Workspace:
        """The user's files in this work tree."""
        return Workspace(
            self.top,
            self.own_folder,
            cache=lambda: self.cache,
            records=self.records,
            state=self.state,
            disk=self.disk,
            clock=self.clock,
        )

    @cached_property
    def erasures(self) -> ErasureState:
        """What the journals' records, as last seen, erase and deny.

        Raises: SignatureRefusedError, FormatError.
        """
        from dataver.erasure.records import fold, merged  # only where records may exist
        from dataver.erasure.told import with_told
        from dataver.transfer.connect import known_records, told_here

        pin = bytes.fromhex(self.config.signers_pin)
        found = merged([fold(k.records, pin=pin, told=k.told) for k in known_records(self.common_folder)])
        return with_told(found, told_here(self.common_folder))

    @cached_property
    def trees(self) -> Trees:
        """The trees in the cache, as a reader may see them."""
        from dataver.store.trees import Trees  # msgspec costs 35 ms that a clean status does not pay

        if not has_records(self.common_folder):
            return Trees(self.cache)
        return Trees(self.cache, self.erasures.erased)

    def obey(self, remote: Remote) -> None:
        """Take over what *remote*'s journal, just read, demands, and remember how far it was read.

        Raises: SignatureRefusedError, FormatError, UnsupportedError: then nothing is remembered.
        """
        from dataver.erasure.records import fold  # only where a remote was asked
        from dataver.transfer.connect import keep_seen

        fold(remote.records(), pin=bytes.fromhex(self.config.signers_pin))
        keep_seen(remote, self.common_folder, self.disk)
        self.forget_erasures()

    def forget_erasures(self) -> None:
        """Read anew, when next asked, what is erased: what is known of it has changed."""
        self.__dict__.pop("erasures", None)
        self.__dict__.pop("trees", None)

    def denier(self) -> Callable[[Oid], str] | None:
        """Return what names the erasure that denies an oid; None where nothing is denied."""
        if not has_records(self.common_folder) or self.secret is None or not self.erasures.denied:
            return None
        from dataver.erasure.deny import denier  # only where content is denied

        return denier(self.erasures, self.secret)

    def entry_denier(self) -> Callable[[bytes, Oid], str] | None:
        """Return what names the erasure that denies content, everywhere or at a path of a tree."""
        secret = self.secret
        if secret is None or self.denier() is None:
            return None
        from dataver.erasure.deny import entry_denier  # only where content is denied

        return entry_denier(self.erasures, secret)

    def withholder(self) -> Callable[[bytes, Oid], str] | None:
        """Return what names the erasure or hold for which content at a path is not delivered, or None."""
        if not has_records(self.common_folder) or self.secret is None:
            return None
        if not (self.erasures.denied or self.erasures.held):
            return None
        from dataver.erasure.deny import entry_withholder  # only where content is denied or held

        return entry_withholder(self.erasures, self.secret)

    def content_withholder(self) -> Callable[[Oid], str] | None:
        """Return what names the erasure or hold for which content is delivered nowhere; None for nothing."""
        if self.withholder() is None or self.secret is None:
            return None
        from dataver.erasure.deny import withholder  # only where content is denied or held

        return withholder(self.erasures, self.secret)

    def erasure_names(self, root_id: bytes) -> list[str]:
        """Return the names of the erasures that took entries of a tree, sorted."""
        leaves = (self.trees.leaf(ref) for ref in self.trees.root(root_id).leaves)
        return sorted({self.erasures.name_of(c) for leaf in leaves for c in leaf.erased})

    @property
    def secret(self) -> Secret | None:
        """The repository secret; None in a clone that has not yet met a remote.

        Raises: ConfigError where a command is to print it, and does not.
        """
        command = self.config.key_command
        if not command:
            return local.load_secret(self.common_folder)
        if self._told_secret is None:
            self._told_secret = local.secret_of_command(command, self.top)
        return self._told_secret

    def set_secret(self, secret: Secret) -> None:
        """Keep the secret that a remote holds; the caller made sure that there is no other."""
        local.save_secret(self.common_folder, secret, self.disk)

    @property
    def clone_id(self) -> str:
        """16 random bytes in hex that tell this clone from others."""
        return local.clone_id(self.common_folder, self.disk)

    def targets(self) -> list[Target]:
        """Return every tracked file and folder, sorted by path."""
        return list_targets(self.git)

    def remote_name(self, name: str | None = None) -> str:
        """Return the name of the remote to use.  Raises: NoRemoteError, UnknownRemoteError."""
        known = self.config.remote_names
        chosen = name or self.config.default_remote
        if not known:
            raise NoRemoteError
        if chosen not in known:
            raise UnknownRemoteError(chosen, known)
        return chosen

    def remote(self, name: str | None = None) -> Remote:
        """Return an open remote.  Raises: NoRemoteError, UnknownRemoteError, RemoteError and its kin."""
        from dataver.transfer.connect import open_remote  # the remote's libraries: not for status

        chosen = self.remote_name(name)
        if chosen not in self._remotes:
            settings = self.config.remote(chosen)
            assert settings is not None
            try:
                self._remotes[chosen] = open_remote(
                    settings, top=self.top, common_folder=self.common_folder, disk=self.disk, clock=self.clock
                )
            except RemoteError as error:
                # The store knows addresses; what people call the remote is known here.
                again = f"dataver remote remove {chosen} && dataver remote add {chosen} "
                hint = error.hint.replace("dataver remote add NAME ", again)
                error.hint = hint.replace(" NAME ", f" {chosen} ")
                raise
        return self._remotes[chosen]

    def opened_remote(self, name: str) -> Remote | None:
        """Return the remote *name* if it is open already: what it cost so far is no later command's."""
        return self._remotes.get(name)

    @property
    def repo_id(self) -> str:
        """The id that all clones with the same secret share, 32 hex; of a clone without one its own."""
        secret = self.secret
        return self.clone_id if secret is None else repo_id_of(secret)

    def version_name(self, pointer_path: bytes, root_id: bytes) -> str:
        """Return what people call a commit that has the tree *root_id* at *pointer_path*; or nothing."""
        return version_name(self.git, pointer_path, root_id)

    def lock(
        self, name: str, *, shared: bool = False, progress: Progress = SILENT
    ) -> AbstractContextManager[None]:
        """Hold one of this repository's locks; see `disk.lock.hold`.

        On a file system without locks the work goes on without, and *progress* is told.
        """
        folder = f"{self.common_folder}/locks"
        if not os.path.isdir(folder):
            make_folders(self.disk, folder)
        return hold(
            f"{folder}/{name}",
            shared=shared,
            is_needed=False,
            timeout_s=self.config.lock_timeout_s,
            clock=self.clock,
            progress=progress,
        )

    @contextmanager
    def cache_lock(self, *, shared: bool, progress: Progress = SILENT) -> Iterator[None]:
        """Hold the cache's lock: shared, so that nothing is taken away; exclusive, to take away.

        Shared is for whoever relies on "it is there already", from the first look-up until what
        names it is written: any number at once, and before it a target's own lock, never after.
        Inside of it the same `Repo` may ask again.  A cache that may only be read, or that lies on a
        file system without locks, is shared without a lock: nobody can hold it exclusively from
        here either.  Exclusive keeps all others waiting; the packs are listed anew then.

        Raises: LockTimeoutError; with *shared* False also LocksUnsupportedError, PermissionDeniedError.
        """
        if self._cache_hold:
            assert shared or self._cache_hold == "exclusive", "a shared cache lock cannot become exclusive"
            yield
            return
        folder = self.cache_folder
        try:
            if not os.path.isdir(folder):
                make_folders(self.disk, folder)
        except PermissionDeniedError:
            if not shared:
                raise
        with hold(
            f"{folder}/lock",
            shared=shared,
            gate=f"{folder}/lock.gate",
            is_needed=not shared,
            timeout_s=self.config.lock_timeout_s,
            clock=self.clock,
            progress=progress,
        ):
            self._cache_hold = "shared" if shared else "exclusive"
            try:
                register_user(self.cache, self.clone_id, self.place)
                self.cache.refresh()
                yield
            finally:
                self._cache_hold = ""

    def claims(self, *, progress: Progress = SILENT) -> Claims:
        """Return what tells the fetches into one cache apart: who brings which pack."""
        from dataver.disk.claims import Claims  # only a fetch needs it

        return Claims(
            f"{self.cache_folder}/fetching",
            timeout_s=self.config.lock_timeout_s,
            clock=self.clock,
            progress=progress,
        )
