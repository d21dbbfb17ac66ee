"""The music: notes, tokens, the transformer that composes, its judgement."""
