"""What the internet hospital changes; the only part that writes."""
