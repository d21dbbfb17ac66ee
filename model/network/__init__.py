"""The transformer: its shapes, its weights, what it costs."""
