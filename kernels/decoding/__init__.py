"""What composing computes for every token: attention to a shared prompt, and the draw."""
