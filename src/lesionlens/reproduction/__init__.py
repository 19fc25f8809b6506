"""Reproduction of the papers' tables and figures, which ``tables`` and ``recipes`` specify as YAML files.

``reproduce`` plans the runs (``planner``), executes them (``runner``), measures their results (``measurements``,
``claims``) and writes a page per table (``html_page``, ``figures``).
"""
