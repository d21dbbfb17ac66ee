"""What styles a checkpoint knows, and how they lie to each other."""
