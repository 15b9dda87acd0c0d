"""One pool of numbers for the region: schedules and numbers of every institution, and who may take which.

For other rooms: `book`, `hold` and `confirm`, `wait`, `cancel` (they judge for whom), `next_free`, and `offers` of a schedule; for the one that
takes the fee of held numbers `owed`, and `paid_at`, which tells where its page is.
"""

from kangyun.base import errors
from kangyun.support.appointments.actions.booking import book, hold, wait
from kangyun.support.appointments.actions.cancelling import cancel
from kangyun.support.appointments.actions.holding import confirm
from kangyun.support.appointments.actions.paying import Owed, owed, paid_at
from kangyun.support.appointments.actions.schedules import add_template, arrange
from kangyun.support.appointments.model import Part, Schedule, Template, Wish
from kangyun.support.appointments.queries.finding import next_free, offers

errors.register("kangyun.support.appointments")

__all__ = [
    "Owed", "Part", "Schedule", "Template", "Wish", "add_template", "arrange", "book", "cancel", "confirm", "hold", "next_free", "offers", "owed", "paid_at",
    "wait",
]
