"""The simulated region: people a second, processor time and memory, and registrations for matching.

Run: ``.venv/bin/python bench/city.py [--people 20000] [--seed 1]``. The floor is writing the same files with the same bytes and nothing else.
Memory is that of the largest process. What a million people take is computed from people a second where fewer were asked for.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """How a command went; seconds of the clock and of all processors, memory in MB of the largest process."""

    seconds: float
    processor: float
    memory: float


def run(arguments: list[str]) -> Run:
    """Run `yunzhou` and measure it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "yunzhou.cli", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, processor, after.ru_maxrss / 1024)


def floor(folder: Path, copy: Path) -> tuple[float, int, int]:
    """Seconds to write the files of a folder again, how many they are, and their bytes."""
    files = [(path.relative_to(folder), path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
    began = time.perf_counter()
    for name, body in files:
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    return time.perf_counter() - began, len(files), sum(len(body) for _, body in files)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    city = ["--population", str(asked.people), "--seed", str(asked.seed)]
    with tempfile.TemporaryDirectory(prefix="yunzhou-bench-") as name:
        folder = Path(name)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before we began")
        region = run([*city, "--out", str(folder / "region")])
        bare, files, size = floor(folder / "region", folder / "copy")
        _tell("region, one year", asked.people, "people", region)
        print(f"  {files:,} files, {size / 1e6:,.0f} MB; floor {bare:.1f} s, ratio {region.seconds / bare:,.1f}")
        print(f"  a million people: {region.seconds / asked.people * 1e6 / 60:,.1f} minutes of the clock,"
              f" {region.processor / asked.people * 1e6 / 60:,.1f} of processors")  # fmt: skip
        listed = run([*city, "--registrations", str(folder / "registrations.ndjson")])
        with (folder / "registrations.ndjson").open("rb") as lines:
            records = sum(1 for _ in lines)
        _tell("registrations", records, "records", listed)
    return 0


def _tell(what: str, number: int, unit: str, done: Run) -> None:
    print(f"{what}: {number:,} {unit} in {done.seconds:,.1f} s ({number / done.seconds:,.0f}/s), processors {done.processor:,.1f} s"
          f" ({done.processor / number * 1e3:.2f} ms each), memory {done.memory:,.0f} MB")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
