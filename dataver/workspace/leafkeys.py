"""How the leaves of a target get their keys: from the secret, or at random under a subject rule.

The only module that reads `.dataver/subjects.toml` and that draws keys.  Where the file is absent,
it costs one system call.
"""

from __future__ import annotations

import os
from collections.abc import Set
from typing import NamedTuple

from dataver.errors import ConfigError, UnsupportedError, local_error
from dataver.formats.subjects import FILE, MAX_SIZE, decode_rules
from dataver.formats.tree import KEY_SIZE, Leaf, commitments_of, encode_entry, leaf_key, path_of_encoded
from dataver.hashing import blake3_of
from dataver.index.state import State
from dataver.model.subjects import Rules
from dataver.store.trees import Trees
from dataver.store.treewriter import IsStale, KeptLeaves, KeyOf

NO_RULES = Rules()


class LeafKeys(NamedTuple):
    """How one target's leaves get their keys."""

    key_of: KeyOf
    is_stale: IsStale | None = None
    """Tells whether a leaf must be keyed anew: under a rule, yet keyed by its content; None: none must."""
    are_drawn: bool = False
    """Whether the same entries may get another key the next time."""
    rules_id: bytes = b""
    """Changes when the rules do; empty without rules for this target."""

    def avoiding(self, erased: Set[bytes]) -> LeafKeys:
        """Return keys by which no entry gets a commitment in *erased*: it would be invisible at once.

        Content that may come back after an erasure was lifted makes the very leaf that lost it.
        """
        if not erased:
            return self

        def key_of(encoded: list[bytes]) -> bytes:
            key = self.key_of(encoded)
            return key if erased.isdisjoint(commitments_of(key, encoded)) else _drawn(encoded)

        return self._replace(key_of=key_of, are_drawn=True)

    def kept(self, trees: Trees, old_root: bytes | None) -> KeptLeaves | None:
        """Return the leaves of an old tree that a new one has to take over where they show the same."""
        if old_root is None or not self.are_drawn:
            return None
        return KeptLeaves(trees, old_root, self.is_stale or (lambda leaf: False))

    def is_stale_in(self, state: State, target: bytes, root_id: bytes) -> IsStale | None:
        """Return `is_stale`; None where the tree *root_id* is known to be keyed by these rules."""
        is_known = self.is_stale is not None and state.get(_note(target)) == self.rules_id + root_id
        return None if is_known else self.is_stale

    def note(self, state: State, target: bytes, root_id: bytes) -> None:
        """Remember that all leaves of the tree *root_id* are keyed by these rules."""
        if self.is_stale is not None and state.get(_note(target)) != self.rules_id + root_id:
            state.put(_note(target), self.rules_id + root_id)


def load_rules(top: bytes) -> Rules:
    """Return the subject rules in the work tree.  Raises: ConfigError, UnsupportedError, local errors."""
    return _rules(_read(top))


def leaf_keys(top: bytes, tree_key: bytes | None, target: bytes, *, is_single: bool) -> LeafKeys:
    """Return how the leaves of *target* are keyed by the rules in the work tree.

    A clone without the secret (no *tree_key*) draws all at random.

    Raises: ConfigError, UnsupportedError, local errors.
    """
    if tree_key is None:
        return LeafKeys(_drawn, are_drawn=True)
    data = _read(top)
    scope = _rules(data).within(target, is_single=is_single)
    if not scope:
        return LeafKeys(key_by_content(tree_key))

    def key_of(encoded: list[bytes]) -> bytes:
        is_covered = any(scope.covers(path_of_encoded(one)) for one in encoded)
        return _drawn(encoded) if is_covered else leaf_key(tree_key, encoded)

    def is_stale(leaf: Leaf) -> bool:
        # A redacted leaf has no key, and stays: drawn anew it would lose its stubs.
        if not leaf.key or not any(scope.covers(entry.path) for entry in leaf.entries):
            return False
        return leaf.key == leaf_key(tree_key, map(encode_entry, leaf.entries))

    return LeafKeys(key_of, is_stale, are_drawn=True, rules_id=blake3_of(data))


def key_by_content(tree_key: bytes) -> KeyOf:
    """Return what gives the same entries the same key in every clone with the secret."""
    return lambda encoded: leaf_key(tree_key, encoded)


def keys_for_merge(
    top: bytes, tree_key: bytes | None, target: bytes, *, is_single: bool, erased: Set[bytes] = frozenset()
) -> KeyOf:
    """Return what draws the keys of a merged tree's leaves; see `LeafKeys.avoiding` for *erased*.

    Amid a merge the rules may hold conflict markers; then every leaf may be under one of them.
    """
    try:
        return leaf_keys(top, tree_key, target, is_single=is_single).avoiding(erased).key_of
    except (ConfigError, UnsupportedError):
        return _drawn


def _note(target: bytes) -> str:
    return f"leaf-keys:{blake3_of(target).hex()}"


def _drawn(encoded: list[bytes]) -> bytes:
    return os.urandom(KEY_SIZE)


def _read(top: bytes) -> bytes:
    path = top + b"/" + FILE.encode()
    try:
        with open(path, "rb") as file:
            return file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise local_error(error, path) from error


def _rules(data: bytes) -> Rules:
    return decode_rules(data) if data else NO_RULES
