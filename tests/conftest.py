"""Fixtures and settings of all tests: compute threads, datasets, and skips with a reason."""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path

# Set before the import of torch, NumPy and OpenCV, which read these once; subprocesses inherit them.
# The tensors are tiny: several threads would only wait for each other and keep the CPU busy.
# LESIONLENS_TEST_THREADS sets another number (`make test-portable`).
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

gc.disable()  # until the end of collection, see below

# the same examples in each run; no time limit, because the machine may be busy
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("LESIONLENS_REAL_DATA", ROOT.parent / "shared" / "data"))


class TimmImporter(MetaPathFinder):
    """Finder that finds no module, but imports timm before the first module with checked shapes.

    jaxtyping compiles everything that such a module is the first to import: timm and torch took 12 s.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: object = None) -> None:
        if fullname in {"lesionlens.models", "lesionlens.explanation"}:
            import timm  # noqa: F401


def pytest_configure() -> None:
    """Insert the finder before jaxtyping's import hook; let tests interrupt the processes that they start."""
    sys.meta_path.insert(0, TimmImporter())
    # jobs that a shell starts in the background inherit the first as ignored, those of nohup the second
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_finish() -> None:
    """Exclude imported objects from garbage collection, which took a twelfth of the suite's time."""
    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)  # some libraries would report the excluded objects as leaks


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that need a GPU if there is none, because ``-m slow`` selects them too."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA GPU that torch can use")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the sample of real images (LESIONLENS_REAL_DATA, or ../shared/data)."""
    if not REAL.is_dir():
        pytest.skip(f"the sample of real images is not at {REAL}; set LESIONLENS_REAL_DATA to its folder")
    return REAL


@pytest.fixture(scope="session")
def write_image() -> Callable[..., Path]:
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


# drop_rate: a resumed run must sample the same dropout
TINY = {
    "model.backbone": "test_resnet",
    "model.attention": "arl",
    "model.kwargs": "{drop_rate: 0.2}",
    "model.input_size": "64",
    "data.max_short_side": "80",
    "data.val_fraction": "0.25",
    "data.test_fraction": "0.25",
    "crops.train.strategy": "random-resized",
    "augment.rotation": "10",
    "train.epochs": "3",
    "train.batch_size": "10",
    "train.sampling": "balanced",
}


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 84 small synthetic images in the layout of HAM10000; 42 of them are for training."""
    from lesionlens.synthesis.dataset import generate_dataset

    return generate_dataset(
        tmp_path_factory.mktemp("synthetic") / "ham", num_images=84, seed=1, size=(120, 160)
    )


@pytest.fixture(scope="session")
def base_overrides(small_set: Path) -> list[str]:
    """Return the overrides of the recipe ``tiny.yaml``, which has only required keys."""
    options = {
        "data": f"ham10000:{small_set}",
        "data.cache_dir": str(small_set.with_name("store")),
        **TINY,
    }
    return [f"{key}={value}" for key, value in options.items()]


@pytest.fixture(scope="session")
def recipe(small_set: Path) -> str:
    """Write a recipe file with only the required keys."""
    file = small_set.with_name("tiny.yaml")
    file.write_text("data: {source: 'ham10000:.'}\nmodel: {}\n")
    return str(file)
