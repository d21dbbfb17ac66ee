"""The audience speaks: chat read and answered, polls held, and nothing of it that could harm the show."""
