"""What every test shares: where the real sample lies, and a skip that says so where it does not."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# the same examples each time, and no time limit on a busy machine
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("LESIONLENS_REAL_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Give the folder of the real sample (LESIONLENS_REAL_DATA, or ../shared/data)."""
    if not REAL.is_dir():
        pytest.skip(f"the real sample is not at {REAL}; set LESIONLENS_REAL_DATA to its folder")
    return REAL
