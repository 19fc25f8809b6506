"""Datasets as tables: readers for the official layouts, validation, tasks, splits and the leakage audit."""
