"""Spreadsheets to drafts of resources, by the rule file of their kind: personal basics, follow-ups, visits, results."""

from kangyun.commons.exchange.decisions.tables.grids import Grid
from kangyun.commons.exchange.decisions.tables.reading import grids_of
from kangyun.commons.exchange.decisions.tables.rows import Fault as RowFault
from kangyun.commons.exchange.decisions.tables.sheets import Bad, Good, Table, Unnumbered, open_table

__all__ = ["Bad", "Good", "Grid", "RowFault", "Table", "Unnumbered", "grids_of", "open_table"]
