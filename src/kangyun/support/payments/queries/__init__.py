"""What payments reads."""

from __future__ import annotations

from kangyun.support.payments.queries.orders import (
    order_of,
    orders_of_institution,
    orders_of_person,
    payments_of,
    refunds_asked,
    refunds_of,
)

__all__ = ["order_of", "orders_of_institution", "orders_of_person", "payments_of", "refunds_asked", "refunds_of"]
