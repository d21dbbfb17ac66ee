"""The piano roll and all that is written on it."""
