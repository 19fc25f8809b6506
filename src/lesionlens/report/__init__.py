"""HTML report of a run: setup, data, metrics and attention maps on one page. Research use only."""
