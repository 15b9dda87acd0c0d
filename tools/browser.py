"""Make sure that the browser tests find a browser: one on the PATH, else Debian's, when we may install it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-noto-cjk")


def apt(*arguments: str) -> None:
    """Run apt-get without questions and without its long report."""
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "-qq", *arguments], check=False, env=quiet, stdout=subprocess.DEVNULL)


def main() -> int:
    """Install Chromium on Debian under root; elsewhere say that the browser tests will be skipped."""
    if any(shutil.which(name) for name in NAMES):
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("installing chromium for the browser tests ...", flush=True)
        apt("update")
        apt("install", "-y", *PACKAGES)
    if not any(shutil.which(name) for name in NAMES):
        print("no Chromium found: the browser tests will be skipped (install the package chromium)", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
