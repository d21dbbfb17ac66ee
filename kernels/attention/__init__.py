"""Attention in training: full, windowed, strided and fixed, forward and backward."""
