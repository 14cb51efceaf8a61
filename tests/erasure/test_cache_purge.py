"""What a purge leaves in a cache: leaves without entries, guides that tell nothing, replaced rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.erasure.cache_examine import examine_cache
from dataver.erasure.cache_note import digest_of, load_note, observed, save_note, unseen
from dataver.erasure.cache_purge import CachePurged, purge_cache
from dataver.erasure.examine import Examiner
from dataver.erasure.records import ErasureState
from dataver.formats.erasure import TAG_OID, deny_id
from dataver.formats.keys import Secret
from dataver.formats.redaction import Erased, redact
from dataver.formats.tree import Leaf, Substitute, decode_leaf, encode_leaf, substitute_commitment
from dataver.hashing import BLAKE3, digest
from dataver.model.names import Oid, blob_name, leaf_name, oid_of_digest, recipe_name
from dataver.model.tree import FILE, Entry, LeafRef, is_boundary
from dataver.store.cache import Cache
from dataver.store.cache_writer import CacheWriter
from dataver.store.trees import Trees
from dataver.store.treewriter import save
from tests.erasure.nowhere import nowhere

SECRET = Secret(b"s" * 32)
KEY = b"k" * 32


def oid_of(text: str) -> Oid:
    return oid_of_digest(BLAKE3, digest(BLAKE3, text.encode()))


def entry(path: str, text: str) -> Entry:
    return Entry(path.encode(), FILE, oid_of(text), len(text))


def denying(*texts: str, erased: Erased | None = None) -> Examiner:
    denied = {deny_id(SECRET.deny_key, TAG_OID, oid_of(text)): b"\x1f" * 16 for text in texts}
    return Examiner(ErasureState(denied=denied, erased=erased or Erased(frozenset(), {})), SECRET)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "cache"), Disk())


def add_tree(cache: Cache, entries: Iterable[Entry]) -> bytes:
    with CacheWriter(cache) as writer:
        root_id = save(sorted(entries, key=lambda e: e.path), writer, lambda encoded: KEY)
        writer.commit()
    return root_id


def add_contents(cache: Cache, *texts: str) -> None:
    with CacheWriter(cache) as writer:
        for text in texts:
            writer.add(blob_name(oid_of(text)), text.encode())
        writer.commit()


def only_leaf(cache: Cache, root_id: bytes) -> Leaf:
    (ref,) = Trees(cache).root(root_id).leaves
    return decode_leaf(cache.read(leaf_name(ref.leaf_id)), ref.leaf_id)


def purged(cache: Cache, examiner: Examiner) -> CachePurged:
    done = purge_cache(cache, examiner)
    assert examine_cache(cache, examiner).is_empty
    return done


def test_contents_go_and_their_neighbours_stay(cache: Cache) -> None:
    add_contents(cache, *(f"text {n}" for n in range(40)))

    done = purged(cache, denying("text 7", "text 8"))

    assert (done.objects, done.failed) == (2, [])
    assert cache.missing([blob_name(oid_of(f"text {n}")) for n in range(40)]) == [
        blob_name(oid_of("text 7")), blob_name(oid_of("text 8"))
    ]  # fmt: skip


def test_the_recipe_of_a_denied_content_goes(cache: Cache) -> None:
    with CacheWriter(cache) as writer:
        for text in ("gone", "stays"):
            writer.add(recipe_name(oid_of(text)), text.encode())
        writer.commit()

    purged(cache, denying("gone"))

    assert cache.missing([recipe_name(oid_of("gone")), recipe_name(oid_of("stays"))]) == [
        recipe_name(oid_of("gone"))
    ]


def test_a_guide_does_not_keep_the_beginning_of_an_erased_name(cache: Cache, tmp_path: Path) -> None:
    number = next(n for n in range(1, 9999) if is_boundary(b"users/%06d" % n))
    person = f"users/{number:06}"
    entries = [entry(f"users/{n:06}", f"text {n}") for n in range(number - 400, number + 400)]
    root_id = add_tree(cache, entries)
    assert person.encode() in Trees(cache).root(root_id).guide

    purged(cache, denying(f"text {number}"))

    root = Trees(cache).root(root_id)
    assert person.encode() not in root.guide
    assert nowhere([tmp_path], names=[person.encode()], oids=[oid_of(f"text {number}")]) == []


def test_a_guide_that_tells_nothing_stays(cache: Cache) -> None:
    number = next(n for n in range(1, 9999) if is_boundary(b"users/%06d" % n))
    root_id = add_tree(
        cache, [entry(f"users/{n:06}", f"text {n}") for n in range(number - 400, number + 400)]
    )
    guide = Trees(cache).root(root_id).guide

    purged(cache, denying(f"text {number + 7}"))

    assert Trees(cache).root(root_id).guide == guide


# -- rows -------------------------------------------------------------------------------------------


def replaced(leaf: Leaf) -> tuple[Substitute, Erased]:
    """Give what stands for the first entry of *leaf*, and the erased set that says so."""
    substitute = Substitute(leaf.commitments[0], b"n" * 16, entry("table.csv", "without the row"))
    return substitute, Erased(frozenset(), {substitute.commitment: substitute_commitment(substitute)})


def table_tree(cache: Cache) -> bytes:
    return add_tree(cache, [entry("table.csv", "with the row"), entry("z.txt", "z")])


def test_a_leaf_whose_replaced_entry_is_not_known_here_is_dropped(cache: Cache) -> None:
    root_id = table_tree(cache)
    _, erased = replaced(only_leaf(cache, root_id))
    (ref,) = Trees(cache).root(root_id).leaves

    done = purged(cache, denying("with the row", erased=erased))

    assert done.failed == []
    assert cache.missing([leaf_name(ref.leaf_id)]) == [leaf_name(ref.leaf_id)]
    assert Trees(cache).root(root_id).leaves == (ref,)


def test_a_replaced_entry_that_another_copy_has_takes_its_place(cache: Cache) -> None:
    root_id = table_tree(cache)
    leaf = only_leaf(cache, root_id)
    substitute, erased = replaced(leaf)
    with CacheWriter(cache) as writer:
        writer.add(leaf_name(leaf.leaf_id), encode_leaf(redact(leaf, erased, (substitute,))))
        writer.commit()

    purged(cache, denying("with the row", erased=erased))

    seen = Trees(cache, erased).leaf(LeafRef(leaf.leaf_id, 2)).view
    assert [(e.path, e.oid) for e in seen] == [
        (b"table.csv", oid_of("without the row")),
        (b"z.txt", oid_of("z")),
    ]


# -- what was looked at -----------------------------------------------------------------------------


def test_a_note_knows_what_was_looked_at_and_notices_what_was_not(cache: Cache) -> None:
    add_contents(cache, "one")
    state = digest_of(ErasureState(), has_secret=True)
    save_note(cache, "a" * 32, observed(cache.folder, state))
    assert not unseen(load_note(cache.folder, "a" * 32), observed(cache.folder, state))

    assert unseen(load_note(cache.folder, "b" * 32), observed(cache.folder, state))
    assert unseen(load_note(cache.folder, "a" * 32), observed(cache.folder, "0" * 64))
    add_contents(cache, "two")
    assert unseen(load_note(cache.folder, "a" * 32), observed(cache.folder, state))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"version":2}', b'{"version":1,"state":1,"packs":2}'])
def test_a_damaged_note_is_none(cache: Cache, text: bytes) -> None:
    path = Path(cache.folder, "erasures", "a" * 32)
    path.parent.mkdir(parents=True)
    path.write_bytes(text)

    assert load_note(cache.folder, "a" * 32) is None
