"""What every test shares: how many threads compute, where the real sample lies, and skips that say why."""

import gc
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path

# Before anything imports torch, NumPy or OpenCV, which read these once; processes that tests start inherit them.
# The tensors are tiny: more threads than one only wait for each other, and waiting by spinning they take the
# processor from whatever else runs. LESIONLENS_TEST_THREADS asks for another number (`make test-portable`).
THREADS = os.environ.get("LESIONLENS_TEST_THREADS", "1")
os.environ |= {"OMP_NUM_THREADS": THREADS, "OPENCV_FOR_THREADS_NUM": THREADS}
os.environ |= {
    "OMP_WAIT_POLICY": "passive",
    "GOMP_SPINCOUNT": "0",
    "OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER": "0",
}

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

gc.disable()  # until all is imported, see below

# the same examples each time, so more of them find nothing new; no time limit on a busy machine
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("LESIONLENS_REAL_DATA", ROOT.parent / "shared" / "data"))


class Ahead(MetaPathFinder):
    """Import timm before the first module whose axes are checked; find nothing.

    jaxtyping compiles anew, each time, what such a module is the first to import: of timm and torch that took 12 s.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: object = None) -> None:
        if fullname == "lesionlens.models.types":
            import torch  # noqa: F401
        elif fullname in {"lesionlens.models.attention", "lesionlens.models", "lesionlens.explanation"}:
            import timm  # noqa: F401


def pytest_configure() -> None:
    """Come before jaxtyping's hook, which is in place by now."""
    sys.meta_path.insert(0, Ahead())


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later search for garbage: it took a twelfth of the suite's time."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """Let what was left out be cleared away at the end: some libraries report as leaked what is not."""
    gc.unfreeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, saying so, what needs a card where there is none: ``-m slow`` asks for it too."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("there is no CUDA card that torch can use")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Give the folder of the real sample (LESIONLENS_REAL_DATA, or ../shared/data)."""
    if not REAL.is_dir():
        pytest.skip(f"the real sample is not at {REAL}; set LESIONLENS_REAL_DATA to its folder")
    return REAL
