"""Pieces one after the other, on air and into files, and what sounds when there is none."""
