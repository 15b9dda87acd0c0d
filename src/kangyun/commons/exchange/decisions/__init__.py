"""What a message means: encoding, parsing, translation, acknowledgement. No clock and no database."""

from kangyun.commons.exchange.decisions.examples import check_example

__all__ = ["check_example"]
