"""Files on disk to a checked table, and from there to tensors."""
