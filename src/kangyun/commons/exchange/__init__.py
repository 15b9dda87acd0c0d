"""Exchange: messages of other systems become records; what arrived is kept, acknowledged and never lost."""

from kangyun.base import errors

errors.register("kangyun.commons.exchange")
