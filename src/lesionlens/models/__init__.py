"""Backbones, attention mechanisms, the model zoo and saved models."""
