"""From a prompt to a piece: rules, sampling, judging, choosing."""
