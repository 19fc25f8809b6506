"""From an image to the crops that a network sees."""
