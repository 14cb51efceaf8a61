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


_AMONG_PUSHES = "tests/ops/test_push_and_records.py"
_ATOMIC = "tests/disk/test_atomic.py"
_CRASH = "tests/workspace/test_crash.py"
_CACHE_PURGE = "tests/erasure/test_cache_purge.py"
_DAMAGE = "tests/transfer/test_damage.py"
_FAULTS = "tests/faults/test_sweep.py"
_GC = "tests/ops/test_gc.py"
_STATUS = "tests/ops/test_status.py"
_REFUSALS = "tests/e2e/erasure/test_refusals.py"
_ROWS = "tests/erasure/test_rows_columnar.py"
_RECORDS = "tests/erasure/test_records.py"
_TEAMMATES = "tests/e2e/erasure/test_teammates.py"
_THREE_VERSIONS = "tests/e2e/erasure/test_three_versions.py"
_REMOVAL = "tests/store/test_removal.py"
_SWEEP = "tests/store/test_sweep.py"

RULES: dict[str, Rule] = {
    "objects are named before they are synced": Rule(
        "dataver/disk/atomic.py",
        "                disk.sync_filesystem(folder)\n",
        "                pass\n",
        (f"{_ATOMIC}::test_published_objects_are_whole_or_absent_after_power_loss_at_any_step",),
    ),
    "a pointer's folder is not synced": Rule(
        "dataver/disk/atomic.py",
        "        disk.rename(temp, path)\n        if durable:\n            disk.sync_folder(folder)\n",
        "        disk.rename(temp, path)\n",
        (f"{_ATOMIC}::test_replace_leaves_the_old_or_the_new_after_power_loss_at_any_step",),
    ),
    "a pointer is named before it is synced": Rule(
        "dataver/disk/atomic.py",
        "        if durable:\n            disk.sync(fd)\n",
        "",
        (f"{_ATOMIC}::test_replace_leaves_the_old_or_the_new_after_power_loss_at_any_step",),
    ),
    "the pointer is written although its objects are not": Rule(
        "dataver/workspace/adding.py",
        "            writer.commit()\n            addition.packs",
        "            addition.packs",
        (f"{_CRASH}::test_after_a_power_loss_a_pointer_names_only_what_is_there",),
    ),
    "a file is unlinked before its successor is there": Rule(
        "dataver/workspace/placing.py",
        "                move_over(self._disk, temp, name, dir_fd=self._fd)\n",
        "                if present is not None:\n"
        "                    self._disk.unlink(name, dir_fd=self._fd)\n"
        "                move_over(self._disk, temp, name, dir_fd=self._fd)\n",
        (f"{_CRASH}::test_killed_at_any_step_checkout_leaves_each_file_as_it_was_or_as_it_has_to_be",),
    ),
    "a file is overwritten without a last look": Rule(
        "dataver/workspace/placing.py",
        "        if present is None or tuple(present) != stat_cells(st):\n",
        "        if False:\n",
        (
            "tests/ops/test_checkout.py::test_a_file_that_is_saved_while_checkout_is_at_work_stays_and_is_named",
        ),
    ),
    "unsaved changes are overwritten": Rule(
        "dataver/workspace/checkout.py",
        "            is_saved=lambda oid: cache.has(blob_name(oid)) or self._is_erased(oid),\n",
        "            is_saved=lambda oid: True,\n",
        ("tests/e2e/test_checkout_safety.py::test_a_change_that_is_not_in_the_cache_stops_checkout",),
    ),
    "what the cache holds is believed": Rule(
        "dataver/store/cache.py",
        "            is_sound = digest(name[1], data) == oid_of_name(name)[1:]\n        if not is_sound:\n",
        "            is_sound = True\n        if not is_sound:\n",
        ("tests/store/test_cache.py::test_a_corrupt_blob_is_set_aside_and_its_pack_s_others_stay",),
    ),
    "what a remote sends is believed": Rule(
        "dataver/transfer/verify.py",
        "        return None if is_same else CorruptObjectError(show_name(name))\n",
        "        return None\n",
        (f"{_DAMAGE}::test_a_flipped_byte_on_the_remote_names_one_file_and_the_others_arrive",),
    ),
    "a leaf that is on the remote is taken for complete": Rule(
        "dataver/transfer/survey.py",
        "        self._skipped = complete_leaves(self._ends, versions)\n",
        "        leaves = [r for v in versions for r in self._structure.root(v.root_id).leaves]\n"
        "        lacking = self._lacks([leaf_name(r.leaf_id) for r in leaves])\n"
        "        self._skipped = {r.leaf_id for r in leaves if leaf_name(r.leaf_id) not in lacking}\n",
        (f"{_DAMAGE}::test_contents_that_are_gone_are_sent_again_though_their_leaf_is_there",),
    ),
    "folders are opened through symlinks": Rule(
        "dataver/disk/safe_open.py",
        "_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC\n",
        "_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC\n",
        ("tests/disk/test_safe_open.py::test_a_symlink_on_the_way_is_refused",),
    ),
    "names that are Git's own are let through": Rule(
        "dataver/model/names.py",
        '_RESERVED = frozenset((".git", ".dataver"))\n',
        "_RESERVED: frozenset[str] = frozenset()\n",
        ("tests/model/test_names.py::test_a_dangerous_path_is_refused",),
    ),
    "a file that was read within a tick is called clean": Rule(
        "dataver/workspace/snapshot.py",
        "    if mtime_ns >= taken_ns - TICK_NS or ctime_ns >= taken_ns - TICK_NS:\n        return True\n",
        "",
        (f"{_STATUS}::test_a_file_that_changed_within_a_tick_of_the_look_is_read_again_next_time",),
    ),
    "a file that changes while it is read is stored": Rule(
        "dataver/workspace/reading.py",
        "    if list(stat_cells(now)) != then:\n",
        "    if False:\n",
        ("tests/e2e/test_add_content.py::test_a_file_that_changes_while_it_is_added_is_never_stored_wrong",),
    ),
    "what is absent counts as deleted": Rule(
        "dataver/workspace/recording.py",
        "        return Record(root_id, patterns, missing | comparison.hidden)\n",
        "        return Record(root_id, (), frozenset())\n",
        ("tests/e2e/test_sparse.py::test_a_second_add_keeps_it_too_though_the_index_is_lost",),
    ),
    "an entry that stands already is taken for ours": Rule(
        "dataver/store/journal.py",
        "                return self._bucket.get(key) == data\n",
        "                return bool(self._bucket.get(key))\n",
        ("tests/store/test_journal.py::test_two_writers_both_succeed_and_the_loser_hears_of_the_winner",),
    ),
    "a refused put is swallowed": Rule(
        "dataver/store/push.py",
        "            self._parts.bucket.put(key, source)\n",
        "            try:\n"
        "                self._parts.bucket.put(key, source)\n"
        "            except DataverError:\n"
        "                pass\n",
        ("tests/store/test_push.py::test_a_push_of_which_a_pack_is_refused_names_no_version",),
    ),
    "what stands already is taken for stored": Rule(
        "dataver/store/folder.py",
        "        except FileExistsError:\n            return False\n",
        "        except FileExistsError:\n            return True\n",
        ("tests/store/test_bucket_contract.py::test_put_new_stores_only_where_nothing_is[folder]",),
    ),
    "a short body is accepted": Rule(
        "dataver/store/remote.py",
        "        if len(data) != size:\n            raise CorruptObjectError(what, self.url)\n",
        "",
        ("tests/store/test_remote.py::test_a_whole_pack_of_another_size_is_refused",),
    ),
    "a journal that was rolled back is followed": Rule(
        "dataver/store/journal_reading.py",
        '            raise self._contradiction(f"its journal was rolled back: entry {seen.seq} is gone")\n',
        "            return\n",
        ("tests/store/test_journal.py::test_a_rolled_back_journal_is_noticed_before_anything_is_written",),
    ),
    "locks are files that a killed process leaves": Rule(
        "dataver/disk/lock.py",
        "        fcntl.flock(fd, kind | fcntl.LOCK_NB)\n    except BlockingIOError:\n",
        "        if os.fstat(fd).st_size:\n            raise BlockingIOError\n"
        '        os.pwrite(fd, b"locked", 0)\n    except BlockingIOError:\n',
        ("tests/disk/test_lock.py::test_a_holder_killed_with_signal_9_leaves_no_lock",),
    ),
    "a committed file may hold commands": Rule(
        "dataver/model/config.py",
        '        if kind == "committed" and not key.committed:\n',
        "        if False:\n",
        ("tests/model/test_config.py::test_commands_credentials_and_local_settings_may_not_be_committed",),
    ),
    "gc sets aside what was just written": Rule(
        "dataver/store/trash.py",
        "now_s - changed >= age_s and changed <= now_s\n",
        "changed <= now_s\n",
        (f"{_SWEEP}::test_what_was_just_written_stays",),
    ),
    "gc knows no grace for what it set aside": Rule(
        "dataver/ops/gc.py",
        "            and (not self._period_s or 0 <= now_s - file.time_s >= self._period_s)\n",
        "",
        (f"{_GC}::test_after_the_grace_period_it_is_deleted",),
    ),
    "gc of a remote knows no grace": Rule(
        "dataver/transfer/collecting.py",
        "        return 0.0 < info.modified_s <= self.limit_s\n",
        "        return True\n",
        (
            "tests/transfer/test_collecting.py::test_packs_and_segments_that_nobody_lists_go_when_they_are_old",
        ),
    ),
    "gc of a remote forgets who is at work": Rule(
        "dataver/transfer/collecting.py",
        "            limit_s = min(now_s - keep.grace_s, removal.oldest_writer_s())\n",
        "            limit_s = now_s - keep.grace_s\n",
        ("tests/transfer/test_collecting.py::test_what_was_stored_since_a_writer_at_work_began_stays",),
    ),
    "the index of a remote is written after the delete": Rule(
        "dataver/store/removal.py",
        "        self._lease.renew()\n        seq = self._parts.journal.append(\n",
        "        going_keys = [Doomed(layout.pack_key(pack_id), size) for pack_id, size in packs.items()]\n"
        "        delete_all(self._parts.bucket, going_keys, self._lease.renew)\n"
        "        self._lease.renew()\n        seq = self._parts.journal.append(\n",
        (f"{_REMOVAL}::test_new_packs_then_segments_then_the_entry_then_the_deletes_and_the_lease_last",),
    ),
    "a pack goes before what stays of it is written": Rule(
        "dataver/store/sweep.py",
        "            if written is not None:\n                self._cache.publish([written])\n",
        "            for plan in sound:\n                self._drop(plan)\n"
        "            if written is not None:\n                self._cache.publish([written])\n",
        (f"{_SWEEP}::test_killed_at_any_step_what_is_needed_is_there_and_the_next_run_finishes",),
    ),
    "gc asks no reflog": Rule(
        "dataver/git/history.py",
        '            arguments += ["--all", "--reflog"]\n',
        '            arguments += ["--all"]\n',
        ("tests/ops/test_reachable.py::test_a_version_is_reached[by_reflog]",),
    ),
    "gc believes that an absent repository needs nothing": Rule(
        "dataver/workspace/reach.py",
        "        raise _absent(user)\n",
        "        return Reached(user)\n",
        ("tests/ops/test_reachable.py::test_a_repository_that_is_gone_is_refused_by_name",),
    ),
    "local copies are freed without a look at the remote": Rule(
        "dataver/ops/proof.py",
        "        for oid in held_blobs(place, _contents(repo.cache), repo.config.jobs):\n",
        "        for oid, _ in _contents(repo.cache):\n",
        (f"{_GC}::test_what_the_remote_lost_is_not_freed",),
    ),
    "a conflict keeps ours and says nothing": Rule(
        "dataver/model/merge.py",
        "        if not is_clean:\n            conflicts.append(_conflict(path, mine, other))\n",
        "",
        ("tests/model/test_merge.py::test_two_modifications_of_one_file_are_a_conflict",),
    ),
    "an eraser deletes by the name alone": Rule(
        "dataver/erasure/s3.py",
        '        objects = [{"Key": self.client.path(one.key), **_version(one)} for one in stored]\n',
        '        objects = [{"Key": self.client.path(one.key)} for one in stored]\n',
        (f"{_THREE_VERSIONS}::test_every_version_marker_and_upload_of_what_held_it_is_gone[Enabled]",),
    ),
    "an erasure begins before its record is published": Rule(
        "dataver/ops/purge_run.py",
        "    for place in ready:\n        publish_record(",
        "    gone = frozenset(c for cs in found.record.redact.values() for c in cs)\n"
        "    denied = dict.fromkeys(found.record.deny, found.record.uid)\n"
        "    examiner = Examiner(ErasureState(erased=Erased(gone, {}), denied=denied), secret)\n"
        "    for place in ready:\n"
        "        writer = (repo.clone_id, repo.repo_id)\n"
        "        purge_remote(place.remote, place.eraser, examiner, writer=writer, since_s=0)\n"
        "        publish_record(",
        (f"{_FAULTS}::test_a_command_that_fails_at_a_sampled_system_call_keeps_every_promise[purge]",),
    ),
    "an erasure does not wait for writers from before its record": Rule(
        "dataver/erasure/remote_purge.py",
        "            if oldest_s <= since_s + _TICK_S:\n",
        "            if False:\n",
        (f"{_TEAMMATES}::test_a_push_that_was_on_its_way_when_the_record_came_leaves_nothing",),
    ),
    "an erasure passes over packs that nobody lists": Rule(
        "dataver/erasure/remote_work.py",
        "    unlisted.look(progress)\n",
        "",
        (f"{_TEAMMATES}::test_a_push_that_was_on_its_way_when_the_record_came_leaves_nothing",),
    ),
    "a guide keeps the beginning of an erased name": Rule(
        "dataver/erasure/cache_examine.py",
        "            if telling_guide(root, self._found.firsts):\n",
        "            if False:\n",
        (f"{_CACHE_PURGE}::test_a_guide_does_not_keep_the_beginning_of_an_erased_name",),
    ),
    "the cache keeps its leaves as they were": Rule(
        "dataver/erasure/cache_purge.py",
        "                yield row.name, change.data\n",
        "                yield row.name, data\n",
        (f"{_CACHE_PURGE}::test_a_guide_does_not_keep_the_beginning_of_an_erased_name",),
    ),
    "a restored cache is not noticed": Rule(
        "dataver/ops/obeying.py",
        "        if not os.path.isdir(folder):\n            return False\n        return unseen(",
        "        if True:\n            return False\n        return unseen(",
        ("tests/ops/test_obeying.py::test_loose_files_laid_over_the_cache_are_noticed",),
    ),
    "what a push stored before a record came is taken over": Rule(
        "dataver/store/unfinished.py",
        "        if entry.kind != COMMIT:\n            return None\n",
        "",
        ("tests/store/test_records_and_pushes.py::test_packs_of_a_killed_push_are_not_taken_over",),
    ),
    "a push does not hear of a record that came meanwhile": Rule(
        "dataver/store/push.py",
        "        has_records = any(entry.kind != COMMIT for entry, _ in entries)\n",
        "        has_records = False\n",
        (f"{_AMONG_PUSHES}::test_a_record_that_comes_while_a_push_is_under_way_is_obeyed_by_it",),
    ),
    "an entry may be missing though no record erased it": Rule(
        "dataver/formats/redaction.py",
        "        if not (stub in erased.entries or stub in erased.substitutes or stub in erased.told):\n",
        "        if False:\n",
        ("tests/formats/test_tree.py::test_a_stub_that_no_record_names_is_damage",),
    ),
    "what may not be seen is called absent": Rule(
        "dataver/ops/purge_looking.py",
        '        return said("UNKNOWN", "keys", error.message)\n',
        '        return said("ABSENT", "keys", error.message)\n',
        (f"{_REFUSALS}::test_without_the_right_to_list_versions_nothing_is_done_and_nothing_called_absent",),
    ),
    "an unsigned record is obeyed though signers exist": Rule(
        "dataver/erasure/records.py",
        '            raise SignatureRefusedError(where, "it is not signed, and signers exist")\n',
        "            return\n",
        (f"{_RECORDS}::test_an_unsigned_record_is_refused_where_signers_exist",),
    ),
    "a record counts twice": Rule(
        "dataver/erasure/records.py",
        "        if record.uid in self._uids:\n",
        "        if False:\n",
        (f"{_RECORDS}::test_a_replayed_record_is_refused",),
    ),
    "a table without the rows keeps their categories": Rule(
        "dataver/erasure/rows/columns.py",
        "    return _compacted(taken) if has_dictionary(kind) else taken\n",
        "    return taken\n",
        (f"{_ROWS}::test_the_other_rows_of_a_parquet_file_are_equal_and_its_bytes_lack_the_value[none]",),
    ),
    "chunks of an erased file stay": Rule(
        "dataver/erasure/remote_work.py",
        "            if name[0] == CHUNK and self._is_lost_chunk(name):\n",
        "            if False:\n",
        (f"{_THREE_VERSIONS}::test_the_person_is_nowhere_and_all_else_is_as_it_was[folder]",),
    ),
    "chunks that others are made of go too": Rule(
        "dataver/erasure/remote_work.py",
        "        if name in self.seen.chunks:\n            return False\n        return self._is_sure",
        "        return self._is_sure",
        ("tests/e2e/erasure/test_shared_chunks.py::test_a_file_that_shares_chunks_with_an_erased_one_stays",),
    ),
}
