"""Networks from images to logits and attention maps: backbones, attention mechanisms, the zoo and saved models."""
