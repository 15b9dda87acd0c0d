"""What drugs reads."""
