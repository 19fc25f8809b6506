"""Evaluation of predictions: metrics, confidence intervals, thresholds, figures and comparisons of models."""
