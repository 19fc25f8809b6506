"""Input pipeline: image cache, masks, augmentation, samplers, datasets and the data module.

``augmentation`` samples parameters from the ranges of a recipe, ``transforms`` applies them to images on the CPU, and
``gpu_transforms`` applies them to batches on a GPU.
"""
