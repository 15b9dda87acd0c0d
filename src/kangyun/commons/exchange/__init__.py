"""Exchange: messages of other systems become records; what arrived is kept, acknowledged and never lost."""

from kangyun.base import errors
from kangyun.commons.exchange.actions.registering import holder, new_key, register
from kangyun.commons.exchange.decisions.registrations import Registration, registered, shown_key
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.tables.reading import table_of
from kangyun.commons.exchange.decisions.tables.sheets import organization_id
from kangyun.commons.exchange.decisions.terms import icd10

errors.register("kangyun.commons.exchange")

__all__ = ["Registration", "holder", "icd10", "new_key", "organization_id", "register", "registered", "sender_of", "shown_key", "table_of"]
