"""Recipes and run directories: schema, loading, metadata and statistics over runs."""
