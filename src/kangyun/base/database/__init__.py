"""PostgreSQL: the embedded server or any other, a connection pool, named SQL files, forward-only migrations."""

from kangyun.base.database.connection import Connection, Database
from kangyun.base.database.migrations import migrate, pending
from kangyun.base.database.sql import Queries, queries

__all__ = ["Connection", "Database", "Queries", "migrate", "pending", "queries"]
