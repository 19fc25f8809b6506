"""Images to scores: decoded ahead, computed, kept batch by batch, and written in the end."""
