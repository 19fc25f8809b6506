"""A run as one page: what was run, on what, what came out, where the network looked. Research use only."""
