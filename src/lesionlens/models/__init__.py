"""Networks from images to logits and attention maps: backbones, attention mechanisms, the zoo and saved models.

``factory.create_model`` builds every network; ``attention`` has the mechanisms, and one module per mechanism adds it to
a timm backbone.
"""
