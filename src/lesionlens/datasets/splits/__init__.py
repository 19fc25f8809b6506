"""Train, validation and test splits: strategies, published folds and split files."""
