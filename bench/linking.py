"""How well and how fast residents are matched: made-up people with known truth, hard pairs.

`--registrations FILE` takes those of the simulated region instead (`yunzhou --population N --registrations FILE`), which slips in
other ways than the people of `linking_people.py`. What is missed is counted by the hard rule that stops it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import linking_people
from kangyun.commons.population.actions.batch import Batch, Doubt, Linkage, Record
from kangyun.commons.population.decisions import matching

PART = 50_000


def part(given: tuple[int, int, float]) -> list[tuple[int, str, list[int]]]:
    """(person, features, keys) of one part of the city."""
    seed, people, scale = given
    found: list[tuple[int, str, list[int]]] = []
    for person, patient in linking_people.records(seed, people, scale=scale):
        told = matching.features(patient)
        found.append((person, matching.encode(told), matching.blocking_keys(told)))
    return found


def table(people: int, scale: float = 1.0) -> tuple[list[Record], list[int]]:
    """Records and, at the same places, who they are."""
    parts = [(seed, min(PART, people - start), scale) for seed, start in enumerate(range(0, people, PART), 1)]
    records: list[Record] = []
    truth: list[int] = []
    with ProcessPoolExecutor(2) as pool:
        for rows in pool.map(part, parts):
            records += [Record(len(records) + place, text, keys) for place, (_, text, keys) in enumerate(rows)]
            truth += [person for person, _, _ in rows]
    return records, truth


def told(lines: Sequence[str]) -> list[tuple[str, list[int]]]:
    """(features, keys) of Patients as text."""
    found = [matching.features(json.loads(one)) for one in lines]
    return [(matching.encode(one), matching.blocking_keys(one)) for one in found]


def registrations(file: Path) -> tuple[list[Record], list[int]]:
    """As `table`, from a file of Patients and the one beside it that tells who they are."""
    lines = file.read_text("utf-8").splitlines()
    persons = [json.loads(one)["person"] for one in Path(f"{file}.truth.ndjson").read_text("utf-8").splitlines()]
    numbers = {person: place for place, person in enumerate(dict.fromkeys(persons))}
    with ProcessPoolExecutor(2) as pool:
        parts = pool.map(told, (lines[start : start + PART] for start in range(0, len(lines), PART)))
        records = [Record(place, *one) for place, one in enumerate(one for part in parts for one in part)]
    return records, [numbers[person] for person in persons]


def pairs_of(groups: Iterable[int]) -> int:
    return sum(size * (size - 1) // 2 for size in groups)


def quality(linkage: Linkage, truth: Sequence[int], doubts: Iterable[Doubt] = ()) -> tuple[float, float]:
    """Pairwise precision and recall; true ones among `doubts` count as joined by a reviewer."""
    group = {record: linkage.clusters.of(record) for record in range(len(truth))}
    joined: dict[int, int] = {}

    def root(one: int) -> int:
        while one in joined:
            one = joined[one]
        return one

    for doubt in doubts:
        one, other = root(group[doubt.one]), root(group[doubt.other])
        if truth[doubt.one] == truth[doubt.other] and one != other:
            joined[other] = one
    found = [root(group[record]) for record in range(len(truth))]
    right = pairs_of(Counter(zip(found, truth, strict=True)).values())
    return right / max(1, pairs_of(Counter(found).values())), right / pairs_of(Counter(truth).values())


def accuracy(source: Callable[[], tuple[list[Record], list[int]]]) -> None:
    started = time.monotonic()
    records, truth = source()
    made = time.monotonic()
    batch = Batch(matching.weights())
    for start in range(0, len(records), 100_000):
        batch.add(records[start : start + 100_000])
    linkage = batch.link()
    done = time.monotonic()
    precision, recall = quality(linkage, truth)
    _, reviewed = quality(linkage, truth, linkage.doubts)
    queue = len(linkage.doubts) / len(truth)
    print(f"{len(truth)} records of {len(set(truth))} people: precision {precision:.5f} recall {recall:.4f}, with review {reviewed:.4f}"
          f" (queue {queue:.2%}); {linkage.pairs} pairs; made in {made - started:.0f} s, linked in {done - made:.1f} s", flush=True)
    curve(batch, truth)
    missed(batch, linkage, truth)


def missed(batch: Batch, linkage: Linkage, truth: Sequence[int]) -> None:
    """Of the pairs of one person that stand apart, how many each hard rule stopped."""
    barred = {(one, other): reason for one, other, reason in batch.connection.execute("SELECT one, other, barred FROM scored").fetchall()}
    persons: dict[int, list[int]] = defaultdict(list)
    for record, person in enumerate(truth):
        persons[person].append(record)
    apart = [pair for group in persons.values() for pair in combinations(group, 2) if linkage.clusters.of(pair[0]) != linkage.clusters.of(pair[1])]
    counts = Counter(barred.get(pair, "not compared, or below the queue") or "below the threshold, or in doubt between two" for pair in apart)
    every = pairs_of(Counter(truth).values())
    for reason, number in counts.most_common():
        print(f"  missed: {number / every:.2%} {reason}")


def curve(batch: Batch, truth: Sequence[int]) -> None:
    """Precision and recall of the pairs themselves, before persons are made of them, at each threshold."""
    rows = batch.connection.execute("SELECT one, other, bits FROM scored WHERE barred = ''").fetchall()
    every = pairs_of(Counter(truth).values())
    for threshold in range(16, 49, 4):
        above = [(one, other) for one, other, bits in rows if bits >= threshold]
        right = sum(truth[one] == truth[other] for one, other in above)
        print(f"  {threshold} bits: precision {right / max(1, len(above)):.5f} recall {right / every:.4f}")


def hard(number: int) -> None:
    counts: Counter[str] = Counter()
    for kind, one, other in linking_people.hard_pairs(99, number):
        evidence = matching.score(matching.features(one), matching.features(other))
        counts[f"{kind} {matching.verdict(evidence)}"] += 1
    print(dict(sorted(counts.items())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=820_000)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--hard", type=int, default=10_000)
    parser.add_argument("--registrations", type=Path)
    asked = parser.parse_args()
    file = asked.registrations
    accuracy(lambda: registrations(file) if file else table(asked.people, asked.scale))
    hard(asked.hard)


if __name__ == "__main__":
    main()
