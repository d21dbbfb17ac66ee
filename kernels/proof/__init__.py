"""What can be proved of the kernels without a GPU: that they compile, what they take, what they could reach."""
