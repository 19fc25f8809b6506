"""The attention mechanisms as plain functions and modules; each returns what it did and where it looked."""
