"""Show controllers that speak OSC: their orders, and what they are told."""
