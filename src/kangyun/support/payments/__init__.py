"""Payments: orders that are paid once through channels, books in whole fen, refunds, and days that are compared with bills.

    order = await payments.order(work, payments.Wanted(person, patient, institution, "internet_hospital.drugs", lines, key))
    link = await payments.pay(services, handle, order.id, "wechat", "phone")
    await payments.refund(work, order.id, amount_fen, key, "退药")

When an order becomes paid, its Invoice, which has its id, becomes `balanced` in the same transaction: react to that.
"""

from kangyun.base import errors
from kangyun.support.payments.actions import ask, cancel, order, pay, quoted, refund, void
from kangyun.support.payments.actions.standing import Parts
from kangyun.support.payments.gateways.channels import channels
from kangyun.support.payments.model import ORDER_SYSTEM, Line, Order, PayLink, Payment, Refund, Wanted
from kangyun.support.payments.queries import order_of, orders_of_person, payments_of, refunds_of

errors.register("kangyun.support.payments")

__all__ = [
    "ORDER_SYSTEM", "Line", "Order", "Parts", "PayLink", "Payment", "Refund", "Wanted", "ask", "cancel", "channels", "order", "order_of", "orders_of_person", "pay",
    "payments_of", "quoted", "refund", "refunds_of", "void",
]
