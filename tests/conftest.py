"""What every test shares: how many threads compute, where the real sample lies, and skips that say why."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
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

from .helpers import images, tiny_datasets  # noqa: E402

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
        if fullname in {"lesionlens.models", "lesionlens.explanation"}:
            import timm  # noqa: F401


def pytest_configure() -> None:
    """Come before jaxtyping's hook, which is in place by now; let processes that tests start be interrupted."""
    sys.meta_path.insert(0, Ahead())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs, and what they start
        signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session")
def draw() -> Callable[..., Path]:
    return images.write_image


@pytest.fixture(scope="session")
def write() -> Callable[[Path, str, Iterable[str]], Path]:
    return images.write_lines


@pytest.fixture
def isic2016(tmp_path: Path) -> Path:
    return tiny_datasets.write_isic2016(tmp_path)


@pytest.fixture
def isic2017(tmp_path: Path) -> Path:
    return tiny_datasets.write_isic2017(tmp_path)


@pytest.fixture
def ham10000(tmp_path: Path) -> Path:
    return tiny_datasets.write_ham10000(tmp_path)


@pytest.fixture
def isic2018(tmp_path: Path) -> Path:
    return tiny_datasets.write_isic2018(tmp_path)


@pytest.fixture
def derm7pt(tmp_path: Path) -> Path:
    return tiny_datasets.write_derm7pt(tmp_path)


@pytest.fixture
def isic2019(tmp_path: Path) -> Path:
    return tiny_datasets.write_isic2019(tmp_path)


# drop_rate: a resumed run must draw the same dropout
TINY = {
    "model.backbone": "test_resnet",
    "model.attention": "arl",
    "model.kwargs": "{drop_rate: 0.2}",
    "model.input_size": "64",
    "data.max_short_side": "80",
    "data.val_fraction": "0.25",
    "data.test_fraction": "0.25",
    "crops.train": "random-resized",
    "augment.rotation": "10",
    "train.epochs": "3",
    "train.batch_size": "16",
    "train.sampling": "balanced",
}


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 140 small synthetic images in the layout of HAM10000."""
    from lesionlens.synthesis.dataset import generate_dataset

    return generate_dataset(
        tmp_path_factory.mktemp("synthetic") / "ham", num_images=140, seed=3, size=(120, 160)
    )


@pytest.fixture(scope="session")
def words(small_set: Path) -> list[str]:
    """Give the overrides of the recipe ``tiny.yaml`` (empty but for what must be there)."""
    options = {
        "data": f"ham10000:{small_set}",
        "data.cache_dir": str(small_set.with_name("store")),
        **TINY,
    }
    return [f"{key}={value}" for key, value in options.items()]


@pytest.fixture(scope="session")
def recipe(small_set: Path) -> str:
    """Write a recipe file that holds next to nothing."""
    file = small_set.with_name("tiny.yaml")
    file.write_text("data: {source: 'ham10000:.'}\nmodel: {}\n")
    return str(file)
