"""What drugs changes; the only part that writes."""
