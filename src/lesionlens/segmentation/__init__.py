"""Lesion segmentation: models, training, prediction and evaluation."""
