"""What the kernels are measured on where there is a GPU, and beside whom."""
