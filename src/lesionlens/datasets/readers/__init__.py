"""Readers of dataset layouts, one module per dataset."""
