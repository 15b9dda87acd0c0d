"""What every floor stands on; nothing here judges."""
