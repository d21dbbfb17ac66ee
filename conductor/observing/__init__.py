"""How a show is: whether it is heard, what it costs, what became of it; told to people and to machines that watch."""
