"""Peak memory of work is that of a process of its own."""

from functools import partial

import numpy as np
import pytest


@pytest.mark.slow
def test_memory_that_is_filled_is_seen_and_nothing_of_the_work_before(script):
    many, few = 400 * 2**20, 2**20
    works = [partial(partial, np.full, size, 7, np.uint8) for size in (many, few)]
    large, small = script("peak_memory").measure_peak_memory(works)
    assert large - small == pytest.approx(many, rel=0.3)
