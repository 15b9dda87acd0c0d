"""What changes anything: the handle's calls, entries, logins, the audit trail."""

from kangyun.commons.access.actions import anomalies, archive, roots

# Named here so that a process without pages knows their jobs.
__all__ = ["anomalies", "archive", "roots"]
