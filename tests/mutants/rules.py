"""The mutants: each breaks one rule that data depends on, and names the tests that hold it."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """One change to one file of the product."""

    file: str
    words: str
    """What stands in the file, once."""
    instead: str
    tests: tuple[str, ...]
    """What has to fail; as few as hold the rule, since each costs its time twice."""


RULES: dict[str, Rule] = {
    "objects are named before they are synced": Rule(
        "dataver/disk/atomic.py",
        "                disk.sync_filesystem(folder)\n",
        "                pass\n",
        ("tests/disk/test_atomic.py",),
    ),
    "a pointer's folder is not synced": Rule(
        "dataver/disk/atomic.py",
        "        disk.rename(temp, path)\n        if durable:\n            disk.sync_folder(folder)\n",
        "        disk.rename(temp, path)\n",
        ("tests/disk/test_atomic.py",),
    ),
    "the pointer is written although its objects are not": Rule(
        "dataver/workspace/adding.py",
        "        if not dry_run:\n            writer.commit()\n",
        "",
        ("tests/workspace/test_crash.py",),
    ),
    "a file is unlinked before its successor is there": Rule(
        "dataver/workspace/placing.py",
        "                move_over(self._disk, temp, name, dir_fd=self._fd)\n",
        "                if present is not None:\n"
        "                    self._disk.unlink(name, dir_fd=self._fd)\n"
        "                move_over(self._disk, temp, name, dir_fd=self._fd)\n",
        ("tests/workspace/test_crash.py",),
    ),
    "a file is overwritten without a last look": Rule(
        "dataver/workspace/placing.py",
        "        if present is None or tuple(present) != stat_cells(st):\n",
        "        if False:\n",
        ("tests/ops/test_checkout.py",),
    ),
    "unsaved changes are overwritten": Rule(
        "dataver/workspace/checkout.py",
        "            is_saved=lambda oid: cache.has(blob_name(oid)),\n",
        "            is_saved=lambda oid: True,\n",
        ("tests/e2e/test_checkout_safety.py::test_a_change_that_is_not_in_the_cache_stops_checkout",),
    ),
    "what the cache holds is believed": Rule(
        "dataver/store/cache.py",
        "            is_sound = digest(name[1], data) == oid_of_name(name)[1:]\n        if not is_sound:\n",
        "            is_sound = True\n        if not is_sound:\n",
        ("tests/store/test_cache.py",),
    ),
    "what a remote sends is believed": Rule(
        "dataver/transfer/verify.py",
        "        return None if is_same else CorruptObjectError(show_name(name))\n",
        "        return None\n",
        ("tests/transfer/test_damage.py",),
    ),
    "a leaf that is on the remote is taken for complete": Rule(
        "dataver/transfer/survey.py",
        "        self._skipped = complete_leaves(self._ends, versions)\n",
        "        leaves = [r for v in versions for r in self._structure.root(v.root_id).leaves]\n"
        "        lacking = self._lacks([leaf_name(r.leaf_id) for r in leaves])\n"
        "        self._skipped = {r.leaf_id for r in leaves if leaf_name(r.leaf_id) not in lacking}\n",
        ("tests/ops/test_push.py",),
    ),
    "folders are opened through symlinks": Rule(
        "dataver/disk/safe_open.py",
        "_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC\n",
        "_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC\n",
        ("tests/disk/test_safe_open.py",),
    ),
    "names that are Git's own are let through": Rule(
        "dataver/model/names.py",
        '_RESERVED = frozenset((".git", ".dataver"))\n',
        "_RESERVED: frozenset[str] = frozenset()\n",
        ("tests/model/test_names.py",),
    ),
    "a file that was read within a tick is called clean": Rule(
        "dataver/workspace/snapshot.py",
        "    if mtime_ns >= taken_ns - TICK_NS or ctime_ns >= taken_ns - TICK_NS:\n        return True\n",
        "",
        ("tests/workspace", "tests/ops/test_status.py"),
    ),
    "a file that changes while it is read is stored": Rule(
        "dataver/workspace/reading.py",
        "    if list(stat_cells(now)) != then:\n",
        "    if False:\n",
        ("tests/ops/test_add.py", "tests/e2e/test_add_content.py"),
    ),
    "what is absent counts as deleted": Rule(
        "dataver/workspace/recording.py",
        "        return Record(root_id, patterns, missing | comparison.hidden)\n",
        "        return Record(root_id, (), frozenset())\n",
        ("tests/e2e/test_sparse.py",),
    ),
    "an entry that stands already is taken for ours": Rule(
        "dataver/store/journal.py",
        "                return self._bucket.get(key) == data\n",
        "                return bool(self._bucket.get(key))\n",
        ("tests/store/test_journal.py",),
    ),
    "a refused put is swallowed": Rule(
        "dataver/store/folder.py",
        "        except FileExistsError:\n            return False\n",
        "        except FileExistsError:\n            return True\n",
        ("tests/store/test_bucket_contract.py",),
    ),
    "a short body is accepted": Rule(
        "dataver/store/remote.py",
        "        if len(data) != size:\n            raise CorruptObjectError(what, self.url)\n",
        "",
        ("tests/store/test_remote.py",),
    ),
    "a journal that was rolled back is followed": Rule(
        "dataver/store/journal_reading.py",
        '            raise self._contradiction(f"its journal was rolled back: entry {seen.seq} is gone")\n',
        "            return\n",
        ("tests/store/test_journal.py",),
    ),
    "locks are files that a killed process leaves": Rule(
        "dataver/disk/lock.py",
        "        fcntl.flock(fd, kind | fcntl.LOCK_NB)\n    except BlockingIOError:\n",
        "        if os.fstat(fd).st_size:\n            raise BlockingIOError\n"
        '        os.pwrite(fd, b"locked", 0)\n    except BlockingIOError:\n',
        ("tests/disk/test_lock.py",),
    ),
    "a committed file may hold commands": Rule(
        "dataver/model/config.py",
        '        if kind == "committed" and not key.committed:\n',
        "        if False:\n",
        ("tests/model/test_config.py",),
    ),
}
