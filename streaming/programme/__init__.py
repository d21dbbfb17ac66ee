"""Sound and picture joined on one clock, encoded once, sent to whoever listens."""
