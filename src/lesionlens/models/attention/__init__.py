"""Attention mechanisms of the four papers, as plain functions and modules that return their output and their maps."""
