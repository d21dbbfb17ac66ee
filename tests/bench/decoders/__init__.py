"""Who decodes beside us, one a file, and what the machine could do."""
