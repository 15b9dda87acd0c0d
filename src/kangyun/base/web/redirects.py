"""Where a page may send people next: only to a path of this site, whatever a form or an address says."""

from __future__ import annotations

_LONGEST = 2000


def local_path(target: str, otherwise: str = "/") -> str:
    r"""Return ``target`` when it is a path of this site, else ``otherwise``.

    Browsers take ``//host``, ``/\host`` and ``/<tab>/host`` for addresses of other sites, and drop line ends.
    """
    plain = target.isprintable() and "\\" not in target and " " not in target and len(target) < _LONGEST
    return target if plain and target.startswith("/") and not target.startswith("//") else otherwise
