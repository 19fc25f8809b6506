"""Splits as their authors published them, in files of one letter for each image."""
