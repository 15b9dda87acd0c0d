"""Write the lock files: exact versions with hashes, and no host, so that any mirror of the registry serves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
COMMON = ["--quiet", "--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links",
          "--universal", "--python-version", "3.11"]


def main() -> int:
    """Compile both lock files; needs uv, which is installed when it is missing."""
    if not (BIN / "uv").exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "uv"], check=True)
    compile_ = [str(BIN / "uv"), "pip", "compile", "pyproject.toml", *COMMON]
    subprocess.run([*compile_, "-o", "requirements.lock"], check=True)
    subprocess.run([*compile_, "--group", "dev", "-c", "requirements.lock", "-o", "requirements-dev.lock"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
