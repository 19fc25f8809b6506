"""Peak memory is measured in a separate process for each work."""

from functools import partial

import numpy as np
import pytest


@pytest.mark.slow
def test_peak_is_of_this_work_only(script):
    many, few = 400 * 2**20, 2**20
    works = [partial(partial, np.full, size, 7, np.uint8) for size in (many, few)]
    large, small = script("peak_memory").measure_peak_memory(works)
    assert large - small == pytest.approx(many, rel=0.3)
