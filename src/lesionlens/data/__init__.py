"""Input pipeline: image cache, masks, augmentation, samplers, datasets and the data module."""
