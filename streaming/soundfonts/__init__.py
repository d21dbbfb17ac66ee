"""A second orchestra from a SoundFont."""
