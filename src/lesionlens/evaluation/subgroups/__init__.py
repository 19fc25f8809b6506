"""Metrics by subgroup, such as sex, age or skin tone: each group against all other images.

``grouping`` divides images by a column, ``evaluate`` computes, ``permutation`` tests, ``result`` holds the records.
"""
