"""The show's notes to a MIDI port."""
