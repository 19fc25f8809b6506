"""Evaluation of predictions: metrics, confidence intervals, thresholds, figures and comparisons of models.

``registry`` lists all metrics; tables, comparisons, figures and the documentation read them from there.
"""
