"""What the internet hospital reads."""
