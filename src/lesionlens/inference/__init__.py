"""Inference: inputs, batches, engines, resumable predictions and results."""
