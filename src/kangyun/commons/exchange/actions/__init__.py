"""What the exchange does: takes messages, makes records of them, tries again, replays, counts."""

from kangyun.commons.exchange.actions import counting, quarantine, resealing, sealing
from kangyun.commons.exchange.actions.intake import ORIGIN, Intake, Receipt
from kangyun.commons.exchange.actions.sweep import sweep

__all__ = ["ORIGIN", "Intake", "Receipt", "counting", "quarantine", "resealing", "sealing", "sweep"]
