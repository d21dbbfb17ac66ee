"""Sound and picture: from notes to a programme feed."""
