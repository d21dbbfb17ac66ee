"""What else training computes much of: norms, sums of embeddings, the loss."""
