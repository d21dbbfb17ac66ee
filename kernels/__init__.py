"""Fast operations, each with its torch reference."""
