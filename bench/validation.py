"""Microseconds of processor time to read, validate and write one resource: ``python -m bench.validation``.

The resources are those of the tests, about a kilobyte each; the best of several rounds is printed, since a shared
machine only ever adds time.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from typing import Any

from kangyun.base.fhir import definitions, json
from kangyun.base.fhir.tests import samples
from kangyun.base.fhir.validation import explain, validate

ROUNDS = 7
TIMES = 1000


def microseconds(work: Callable[[], Any]) -> float:
    """Best time of one call."""
    return min(timeit.repeat(work, timer=time.process_time, number=TIMES, repeat=ROUNDS)) / TIMES * 1e6


def measure(name: str, resource: dict[str, Any]) -> str:
    """One line of the table."""
    text = json.dumps(resource)
    columns: list[Callable[[], Any]] = [
        lambda: json.loads(text),
        lambda: validate(resource),
        lambda: json.dumps(resource),
        lambda: explain(resource),
    ]
    times = " | ".join(f"{microseconds(column):6.1f}" for column in columns)
    return f"| {name:18} | {len(text):5} | {times} |"


def main() -> None:
    """Print the table."""
    start = timeit.default_timer()
    definitions.load().types  # noqa: B018 - decoding is what is timed
    print(f"definitions loaded in {(timeit.default_timer() - start) * 1000:.0f} ms")
    print("| resource           | bytes |   read | valid. |  write | exact walk alone |")
    print("|---|---|---|---|---|---|")
    for name, resource in samples.RESOURCES.items():
        print(measure(name, resource))


if __name__ == "__main__":
    main()
