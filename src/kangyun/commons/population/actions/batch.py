"""Linking everybody with everybody: Splink on DuckDB over a table of records, without the store."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log2
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kangyun.base.database import queries
from kangyun.base.text import has_chinese
from kangyun.commons.population.actions import batch_pages
from kangyun.commons.population.decisions.matching import Evidence, Features, Weights, decode, score
from kangyun.commons.population.decisions.matching.clusters import Clusters, Pair, inexcusable, settle
from kangyun.commons.population.decisions.matching.dialects import LISTS, barred, reached, settings
from kangyun.commons.population.decisions.matching.names import surname_and_given
from kangyun.commons.population.decisions.matching.scoring import rarity

if TYPE_CHECKING:
    import duckdb

sql = queries("kangyun.commons.population", "actions/batch.sql")

_COLUMNS = Features.__struct_fields__
_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Record:
    """One Patient as the batch sees it: a number of ours, its encoded features, its blocking keys."""

    number: int
    features: str
    keys: Sequence[int]


@dataclass(frozen=True, slots=True)
class Standing:
    """A record with the Patient that it is of and the Person under which that stands now."""

    record: Record
    patient: str
    person: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A pair for a human: bits of evidence, and the hard rule that keeps a program from linking it, if any."""

    one: int
    other: int
    bits: float
    barred: str


@dataclass(frozen=True, slots=True)
class Linkage:
    """What a batch found: groups of records that are one person, and pairs to review, the most alike first."""

    clusters: Clusters
    doubts: list[Doubt]
    pairs: int  # how many pairs were compared

    def groups(self) -> list[list[int]]:
        """The groups of more than one record, each sorted."""
        return sorted(sorted(group) for group in self.clusters.members.values() if len(group) > 1)


@dataclass(frozen=True, slots=True)
class Decisions:
    """What humans decided before: pairs that are one person and pairs that are two."""

    together: Sequence[Pair] = ()
    apart: Sequence[Pair] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a linkage would change in what stands: Persons to become one, and Persons that it would take apart."""

    unions: list[list[str]]
    parted: list[tuple[str, list[list[int]]]]


@dataclass(slots=True)
class Batch:
    """One run over one table of records, in memory or spilling to `folder`."""

    by: Weights
    memory: str = "5GB"
    threads: int = 2
    folder: Path | None = None
    connection: duckdb.DuckDBPyConnection = field(init=False)

    def __post_init__(self) -> None:
        import duckdb  # noqa: PLC0415 - the web process never links in batch and must not load it

        self.connection = duckdb.connect()
        self.connection.execute(f"SET memory_limit = '{self.memory}'; SET threads = {self.threads}")
        if self.folder:
            self.connection.execute(f"SET temp_directory = '{self.folder}'")
        self.connection.execute(sql.incoming)
        self.connection.execute(sql.who)
        self.connection.execute(sql.newcomer)

    def add(self, records: Iterable[Record]) -> None:
        """Take records in; call it for each page."""
        import pyarrow as pa  # noqa: PLC0415

        rows = list(records)
        page = pa.table({
            "unique_id": pa.array([one.number for one in rows], pa.int64()),
            "features": pa.array([one.features for one in rows], pa.string()),
            "keys": pa.array([one.keys for one in rows], pa.list_(pa.int64())),
        })
        self.connection.register("page", page)
        self.connection.execute("INSERT INTO incoming SELECT * FROM page")
        self.connection.unregister("page")

    def admit(self, members: Sequence[Standing]) -> None:
        """Take in a page of those who are placed; the table `who` then tells persons."""
        import pyarrow as pa  # noqa: PLC0415

        page = pa.table({
            "resident": pa.array([one.record.number for one in members], pa.int64()),
            "patient": pa.array([one.patient for one in members], pa.string()),
            "person": pa.array([one.person for one in members], pa.string()),
            "features": pa.array([one.record.features for one in members], pa.string()),
            "keys": pa.array([one.record.keys for one in members], pa.list_(pa.int64())),
        })
        self._take(page, sql.admit, sql.receive_features)

    def receive(self, page: bytes) -> int:
        """Take in a page (`batch_pages.packed`) of those whom nobody has placed yet (after `kangyun import`); how many they are."""
        newcomers = batch_pages.table(page)
        self._take(newcomers, sql.receive_who, sql.receive_features, sql.receive)
        return newcomers.num_rows

    def _take(self, page: Any, *statements: str) -> None:
        self.connection.register("page", page)
        for statement in statements:
            self._run(statement)
        self.connection.unregister("page")

    def link(self, decisions: Decisions | None = None) -> Linkage:
        """Block, score, cluster. Call once."""
        self.unfold()
        self._run(sql.homes)
        self.block()
        self.score()
        return self._settle(decisions or Decisions())

    def unfold(self) -> None:
        """The features as columns, without telephone numbers that half a village has."""
        columns = ", ".join(
            f"CAST(f[{place}] AS VARCHAR[]) AS {name}" if name in LISTS else f"f[{place}] ->> '$' AS {name}"
            for place, name in enumerate(_COLUMNS, 1)
        )
        paths = ", ".join(f"'$[{place}]'" for place in range(len(_COLUMNS)))
        self._run(f"CREATE TABLE record AS SELECT unique_id, {columns} FROM (SELECT unique_id, json_extract(features, [{paths}]) AS f FROM incoming)")
        busy = self._run(sql.busy_phones.format(holders=self.by.limits["phone_holders"]))[0][0]
        if busy:
            self.connection.execute(sql.drop_busy_phones, {"busy": busy})

    def block(self) -> None:
        """The pairs that share a key; keys that too many share tell nothing."""
        self._run(sql.identities)
        self._run(sql.keys.format(largest_block=int(self.by.limits["largest_block"])))
        self._run(sql.pairs)
        self._run("DROP TABLE blocking")

    def score(self) -> None:
        """All pairs worth a look, with bits and hard rules, in the table `scored`."""
        linker = self.linker()
        found = linker.inference.predict(threshold_match_weight=self.by.thresholds.review, warning_mode="never")
        columns = ", ".join(f"l.{name} AS {name}_l, r.{name} AS {name}_r" for name in _COLUMNS)
        levels = ", ".join(f"{reached(one, 'duckdb')} AS level_{one.field}" for one in self.by.comparisons)
        self._run(sql.scored.format(found=found.physical_name, columns=columns, levels=levels, barred=barred(self.by)))

    def linker(self) -> Any:
        """Splink's linker over the unfolded records and the pairs of `block`."""
        import splink  # noqa: PLC0415
        from splink.backends.duckdb import DuckDBAPI  # noqa: PLC0415

        logging.getLogger("splink").setLevel(logging.ERROR)
        api = DuckDBAPI(connection=self.connection)
        linker = splink.Linker(api.register("record"), settings(self.by, "duckdb"))
        linker.table_management.register_blocked_pairs_for_predict(api.register("pair"))
        linker.table_management.register_term_frequency_lookup(api.register(self._frequencies()), "name")
        return linker

    def common_names(self, most: int) -> list[tuple[str, str, float]]:
        """Surnames and the commonest given names: (`surname` or `given`, text, -log2 of its share)."""
        rows: list[tuple[str, int]] = self._run(sql.holders)
        total = sum(holders for _, holders in rows) or 1
        counts: dict[str, Counter[str]] = {"surname": Counter(), "given": Counter()}
        for name, holders in rows:
            if has_chinese(name):
                surname, given = surname_and_given(name)
                counts["surname"][surname] += holders
                counts["given"][given] += holders
        return [
            (kind, text, log2(total / number))
            for kind, found in counts.items() for text, number in found.most_common(most) if number > 1
        ]

    def histogram(self) -> list[tuple[float, int]]:
        """How many scored pairs without a hard rule there are at each number of bits."""
        return self._run(sql.histogram)

    def prior_bits(self) -> float:
        """The odds that two records taken at random are one person, in bits, by those that have a sure number."""
        same, every = self._run(sql.prior)[0]
        return log2(max(same, 1) / max(every, 1))

    def _frequencies(self) -> Any:
        """How frequent each name is: as the rules say, or as it is here where that is more."""
        import pyarrow as pa  # noqa: PLC0415

        rows = self.connection.execute(sql.holders).fetchall()
        total = sum(holders for _, holders in rows) or 1
        least = 2.0 ** -self.by.most
        shares = [max(2.0 ** -rarity(name, self.by), (holders - 1) / total, least) for name, holders in rows]
        return pa.table({"name": [name for name, _ in rows], "tf_name": shares})

    def _settle(self, decisions: Decisions) -> Linkage:
        limits, thresholds = self.by.limits, self.by.thresholds
        self._run(sql.torn.format(review=thresholds.review, margin=limits["margin"]))
        edges = self.connection.execute(sql.edges).fetchall()
        numbers = dict(self.connection.execute(sql.numbers).fetchall())
        contrary = {bar.reason for bar in self.by.bars if bar.contrary}
        links = [(one, other) for one, other, bits, barred, torn in edges if bits >= thresholds.link and not barred and not torn]
        two = inexcusable(((one, other) for one, other, _, barred, _ in edges if barred in contrary), links, numbers)
        apart = _both_ways([*decisions.apart, *two])
        clusters, _ = settle(links, numbers, apart, decisions.together)
        answered = {frozenset(pair) for pair in decisions.apart}
        back = {bar.reason: bar.handicap for bar in self.by.bars}
        asked = sorted(
            (Doubt(*edge[:4]) for edge in edges if frozenset(edge[:2]) not in answered),
            key=lambda one: back.get(one.barred, 0.0) - one.bits,
        )
        total = self._run("SELECT count(*) FROM record")[0][0]
        doubts = _worth_asking(asked, clusters, contrary)[: int(total * limits["review_share"]) or 1]
        return Linkage(clusters, doubts, self._run("SELECT count(*) FROM pair")[0][0])

    def standing(self) -> list[Pair]:
        """Pairs of records that stand under one Person now, a chain for each."""
        return [(group[0], other) for (group,) in self._run(sql.standing) for other in group[1:]]

    def number_new(self) -> int:
        """How many Patients nobody has placed yet."""
        return self._run("SELECT count(*) FROM newcomer")[0][0]

    def newcomers(self, linkage: Linkage, size: int) -> Iterator[bytes]:
        """Patients whom nobody has placed yet, together where nobody but them is in a group; about `size` of them at a time.

        Who is like somebody that has a Person comes alone, and is joined to it afterwards as any other. Pages are for
        `batch_pages.unpacked`, in whichever process.
        """
        import pyarrow as pa  # noqa: PLC0415

        new = [record for (record,) in self._run(sql.newcomers)]
        known = {linkage.clusters.of(record) for (record,) in self._run(sql.placed)} if new else set[int]()
        groups = [record if (group := linkage.clusters.of(record)) in known else group for record in new]
        self.connection.register("grouped", pa.table({"resident": pa.array(new, pa.int64()), "together": pa.array(groups, pa.int64())}))
        yield from batch_pages.cut(self.connection.sql(sql.together).to_arrow_reader(_ROWS), _sizes(groups, size))
        self.connection.unregister("grouped")

    def change(self, linkage: Linkage) -> Change:
        """How a linkage differs from the Persons in the table `who`."""
        person: dict[int, str] = dict(self._run(sql.persons))
        new = {record for (record,) in self._run(sql.newcomers)}
        standing = (group for group in linkage.groups() if not new.issuperset(group))
        unions = {tuple(sorted({person[record] for record in group})) for group in standing}
        parted: list[tuple[str, list[list[int]]]] = []
        for (group,) in self._run(sql.standing):
            parts: dict[int, list[int]] = {}
            for record in group:
                parts.setdefault(linkage.clusters.of(record), []).append(record)
            if len(parts) > 1:
                parted.append((person[group[0]], list(parts.values())))
        return Change(sorted(list(union) for union in unions if len(union) > 1), parted)

    def evidence(self, doubts: Sequence[Doubt]) -> list[tuple[str, str, Evidence]]:
        """The ids of the two Patients of each doubt, and what is known of them."""
        numbers = sorted({number for doubt in doubts for number in (doubt.one, doubt.other)})
        rows = self.connection.execute(sql.some, [numbers]).fetchall()
        known: dict[int, tuple[str, Features]] = {number: (patient, decode(text)) for number, patient, text in rows}
        found = ((known[doubt.one], known[doubt.other]) for doubt in doubts)
        return [(one, other, score(mine, theirs, self.by)) for (one, mine), (other, theirs) in found]

    def _run(self, statement: str) -> list[Any]:
        return self.connection.execute(statement).fetchall()


def link(records: Iterable[Record], by: Weights, decisions: Decisions | None = None) -> Linkage:
    """The groups of one table of records, and what a human should look at."""
    batch = Batch(by)
    batch.add(records)
    return batch.link(decisions)


def _sizes(groups: Sequence[int], size: int) -> Iterator[int]:
    """How many records each page holds, of whole groups in their order."""
    page = 0
    for _, members in sorted(Counter(groups).items()):
        page += members
        if page >= size:
            yield page
            page = 0
    if page:
        yield page


def _both_ways(pairs: Iterable[Pair]) -> Mapping[int, set[int]]:
    found: dict[int, set[int]] = {}
    for one, other in pairs:
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return found


def _worth_asking(edges: Iterable[Doubt], clusters: Clusters, contrary: Collection[str]) -> list[Doubt]:
    """One pair for each two groups that may be one person; where something speaks against it, that is what is asked."""
    best: dict[frozenset[int], Doubt] = {}
    for edge in edges:
        one, other = clusters.of(edge.one), clusters.of(edge.other)
        if one != other and (edge.barred in contrary or not clusters.contrary(one, other)):
            best.setdefault(frozenset((one, other)), edge)
    return list(best.values())
