"""Linking everybody with everybody: Splink on DuckDB over a table of records, without the store."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kangyun.base.database import queries
from kangyun.commons.population.decisions.matching import Features, Weights
from kangyun.commons.population.decisions.matching.clusters import Clusters, Pair, settle
from kangyun.commons.population.decisions.matching.dialects import LISTS, barred, reached, settings
from kangyun.commons.population.decisions.matching.scoring import rarity

if TYPE_CHECKING:
    import duckdb

sql = queries("kangyun.commons.population", "actions/batch.sql")

_COLUMNS = Features.__struct_fields__


@dataclass(frozen=True, slots=True)
class Record:
    """One Patient as the batch sees it: a number of ours, its encoded features, its blocking keys."""

    number: int
    features: str
    keys: Sequence[int]


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

    def add(self, records: Iterable[Record]) -> None:
        """Take records in; call it for each page."""
        import pyarrow  # noqa: PLC0415

        rows = list(records)
        page = pyarrow.table({
            "unique_id": pyarrow.array([one.number for one in rows], pyarrow.int64()),
            "features": pyarrow.array([one.features for one in rows], pyarrow.string()),
            "keys": pyarrow.array([one.keys for one in rows], pyarrow.list_(pyarrow.int64())),
        })
        self.connection.register("page", page)
        self.connection.execute("INSERT INTO incoming SELECT * FROM page")
        self.connection.unregister("page")

    def link(self, decisions: Decisions | None = None) -> Linkage:
        """Block, score, cluster. Call once."""
        self.unfold()
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
        self._run("ALTER TABLE incoming DROP COLUMN features")
        self._run(sql.pairs)
        self._run("DROP TABLE blocking")

    def score(self) -> None:
        """All pairs worth a look, with bits and hard rules, in the table `scored`."""
        linker = self._linker()
        found = linker.inference.predict(threshold_match_weight=self.by.thresholds.review, warning_mode="never")
        columns = ", ".join(f"l.{name} AS {name}_l, r.{name} AS {name}_r" for name in _COLUMNS)
        levels = ", ".join(f"{reached(one, 'duckdb')} AS level_{one.field}" for one in self.by.comparisons)
        self._run(sql.scored.format(found=found.physical_name, columns=columns, levels=levels, barred=barred(self.by)))

    def _linker(self) -> Any:
        import splink  # noqa: PLC0415
        from splink.backends.duckdb import DuckDBAPI  # noqa: PLC0415

        logging.getLogger("splink").setLevel(logging.ERROR)
        api = DuckDBAPI(connection=self.connection)
        linker = splink.Linker(api.register("record"), settings(self.by, "duckdb"))
        linker.table_management.register_blocked_pairs_for_predict(api.register("pair"))
        linker.table_management.register_term_frequency_lookup(api.register(self._frequencies()), "name")
        return linker

    def _frequencies(self) -> Any:
        """How frequent each name is: as the rules say, or as it is here where that is more."""
        import pyarrow  # noqa: PLC0415

        rows = self.connection.execute(sql.holders).fetchall()
        total = sum(holders for _, holders in rows) or 1
        least = 2.0 ** -self.by.most
        shares = [max(2.0 ** -rarity(name, self.by), (holders - 1) / total, least) for name, holders in rows]
        return pyarrow.table({"name": [name for name, _ in rows], "tf_name": shares})

    def _settle(self, decisions: Decisions) -> Linkage:
        limits, thresholds = self.by.limits, self.by.thresholds
        self._run(sql.torn.format(review=thresholds.review, margin=limits["margin"]))
        edges = self.connection.execute(sql.edges).fetchall()
        numbers = dict(self.connection.execute(sql.numbers).fetchall())
        contrary = {bar.reason for bar in self.by.bars if bar.contrary}
        apart = _both_ways([*decisions.apart, *((one, other) for one, other, _, barred, _ in edges if barred in contrary)])
        links = [(one, other) for one, other, bits, barred, torn in edges if bits >= thresholds.link and not barred and not torn]
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

    def _run(self, statement: str) -> list[Any]:
        return self.connection.execute(statement).fetchall()


def link(records: Iterable[Record], by: Weights, decisions: Decisions | None = None) -> Linkage:
    """The groups of one table of records, and what a human should look at."""
    batch = Batch(by)
    batch.add(records)
    return batch.link(decisions)


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
