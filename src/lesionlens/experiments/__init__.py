"""What the papers trained: a recipe for every row of their tables."""
