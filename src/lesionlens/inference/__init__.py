"""Inference: inputs, batches, engines, resumable predictions and results. ``predict.predict`` is the entry point."""
