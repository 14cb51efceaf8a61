"""`remote stats`: what lies on a remote, what of it is in nobody's way, and what transfers cost."""

from __future__ import annotations

from collections.abc import Mapping

from dataver.model.names import BLOB, KIND_NAMES, RECIPE, StructureId
from dataver.model.results import RemoteStatsResult, RequestEstimate, Stored
from dataver.ops.exchange import meet
from dataver.ops.spending import Meter
from dataver.repo import Repo
from dataver.store.remote import Remote
from dataver.store.stock import Stock, take_stock
from dataver.transfer import costs

_MILLION = 1_000_000


def remote_stats(repo: Repo, name: str | None = None) -> RemoteStatsResult:
    """Count what lies on a remote, by default the default one: objects, packs, segments, journal, garbage.

    Costs a listing and the beginnings of segments, never a request per object.  The estimate is for a
    million files of the mean size of those that are there; `transfer.costs` has the formulas: a push
    takes a request for each full pack (32 MiB) of theirs, a pull into an empty clone one for each
    pack as they lie there (a million by `files_per_pack`), and either a constant.

    Raises: NoRemoteError, UnknownRemoteError, RemoteError, RemoteStateError.
    """
    start = repo.clock.monotonic()
    chosen = repo.remote_name(name)
    meter = Meter(repo, chosen)
    place = meet(repo, chosen)
    stock = take_stock(place)
    listed, live = stock.listed, {ref.segment_id: ref for ref in place.live_segments()}
    there = {p: size for p, size in stock.live_packs.items() if listed.has_pack(p, size)}
    files = sum(stock.objects[kind].count for kind in (BLOB, RECIPE) if kind in stock.objects)
    kinds = (
        Stored(KIND_NAMES[kind], amount.count, amount.size) for kind, amount in sorted(stock.objects.items())
    )
    return RemoteStatsResult(
        remote=chosen,
        url=place.url,
        kinds=tuple(kinds),
        is_sampled=stock.is_sampled,
        packs=_stored("packs", there),
        segments=_stored("segments", {s: size for s, size in listed.segments.items() if s in live}),
        rows=sum(ref.rows for ref in live.values()),
        missing_packs=_stored("packs", {p: s for p, s in stock.live_packs.items() if p not in there}),
        garbage_packs=_stored("packs", {p: s for p, s in listed.packs.items() if p not in stock.live_packs}),
        garbage_segments=_stored("segments", {s: n for s, n in listed.segments.items() if s not in live}),
        journal=Stored("entries", listed.journal.count, listed.journal.size),
        states=Stored("states", listed.states.count, listed.states.size),
        writers=tuple(sorted(listed.writers)),
        files_per_pack=files / len(stock.live_packs) if stock.live_packs else 0.0,
        estimate=_estimate(place, stock, files) if files else None,
        listings=listed.requests,
        requests=meter.requests,
        seconds=repo.clock.monotonic() - start,
        failed=tuple(error.failure() for error in stock.unreadable),
    )


def _stored(what: str, sizes: Mapping[StructureId, int]) -> Stored:
    return Stored(what, len(sizes), sum(sizes.values()))


def _estimate(place: Remote, stock: Stock, files: int) -> RequestEstimate:
    packs, page = len(stock.live_packs), place.bucket.page_size
    rows_per_file = sum(amount.count for amount in stock.objects.values()) / files
    return RequestEstimate(
        push=costs.push_of(
            _MILLION,
            pack_size_per_file=sum(stock.live_packs.values()) / files,
            rows_per_file=rows_per_file,
            live_packs=packs,
            page=page,
        ),
        pull=costs.pull_of(
            _MILLION,
            packs_per_file=packs / files,
            rows_per_file=rows_per_file,
            segments=len(place.live_segments()),
        ),
        idle=costs.idle_of(_MILLION * packs // files, page=page),
    )
