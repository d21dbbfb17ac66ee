"""Openings that come with the program: short MIDI files, `index.yaml` that tells of them, and `ATTRIBUTION.md`."""
