"""The operator's console: an HTTP server in the conductor and one page."""
