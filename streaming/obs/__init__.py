"""OBS as the show wants it."""
