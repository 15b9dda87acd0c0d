"""PostgreSQL: the embedded server or any other, a connection pool, named SQL files, forward-only migrations."""

from kangyun.base.database.connection import Connection, Database, plan_by_values
from kangyun.base.database.migrations import migrate, pending
from kangyun.base.database.pool import ring_later
from kangyun.base.database.sql import Queries, queries

__all__ = ["Connection", "Database", "Queries", "migrate", "pending", "plan_by_values", "queries", "ring_later"]
