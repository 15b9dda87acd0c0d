"""Make sure that the browser tests find a browser: one on the PATH, else Debian's, when we may install it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-noto-cjk")


def main() -> int:
    """Install Chromium on Debian under root; elsewhere say that the browser tests will be skipped."""
    if any(shutil.which(name) for name in NAMES):
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("installing chromium for the browser tests ...", flush=True)
        quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", *PACKAGES], check=False, **quiet)
    if not any(shutil.which(name) for name in NAMES):
        print("no Chromium found: the browser tests will be skipped (install the package chromium)", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
