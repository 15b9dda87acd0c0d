"""`make bench`: every benchmark in turn; each prints its own figures, the record store writes the README's table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
QUICK = ("fhirpath.py", "validation.py", "exchange.py")


def main() -> int:
    """Run all benchmarks; the arguments go to the one of the record store."""
    for name in QUICK:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, HERE / name], check=True)
    print("\n== records.py", flush=True)
    return subprocess.run([sys.executable, HERE / "records.py", *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
