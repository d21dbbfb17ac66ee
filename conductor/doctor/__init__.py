"""What a machine has and lacks for a show, each with what to do about it."""
