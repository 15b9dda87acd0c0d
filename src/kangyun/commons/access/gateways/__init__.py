"""Ways out of the platform: text messages to people's phones."""
