"""The inner critic: tells real music from what the composer makes, so that the best of its candidates is heard."""
