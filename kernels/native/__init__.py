"""The decoder on a CPU: C++ compiled on the machine it runs on, behind a small face of numpy arrays."""
