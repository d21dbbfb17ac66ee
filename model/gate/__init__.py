"""The gate before the stage: what must be wrong with no piece that is played. Torch-free."""
