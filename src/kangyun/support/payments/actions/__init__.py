"""What payments changes; the only part that writes. Importing it registers its jobs."""

from __future__ import annotations

from kangyun.support.payments.actions import looking, reconciling
from kangyun.support.payments.actions.notices import take
from kangyun.support.payments.actions.orders import order, quoted, void
from kangyun.support.payments.actions.paying import ask, cancel, pay
from kangyun.support.payments.actions.refunds import ask_refund, judge, refund
from kangyun.support.payments.actions.settling import settle_institutions, transferred

__all__ = [
    "ask", "ask_refund", "cancel", "judge", "looking", "order", "pay", "quoted", "reconciling", "refund", "settle_institutions", "take", "transferred",
    "void",
]
