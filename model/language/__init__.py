"""The music as tokens: what may be said, and where each word stands."""
