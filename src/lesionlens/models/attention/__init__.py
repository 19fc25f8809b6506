"""Attention mechanisms of the four papers, as functions and modules that return their output and their maps."""
