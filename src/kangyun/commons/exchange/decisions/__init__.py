"""What a message means: encoding, parsing, translation, acknowledgement. No clock and no database."""
