"""Attention mechanisms of the four papers."""
