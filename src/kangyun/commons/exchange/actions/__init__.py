"""What the exchange does: takes messages, makes records of them, tries again, replays."""

from kangyun.commons.exchange.actions.intake import Intake, Receipt
from kangyun.commons.exchange.actions.sweep import sweep

__all__ = ["Intake", "Receipt", "sweep"]
