"""What the papers trained, as recipes."""
