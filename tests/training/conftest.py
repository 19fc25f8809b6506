"""A small synthetic set and the words that train a tiny network on it in a second or two."""

from pathlib import Path

import pytest

from lesionlens.synthesis.dataset import generate_dataset

# drop_rate: a resumed run must draw the same dropout
TINY = {
    "model.backbone": "test_resnet",
    "model.attention": "arl",
    "model.options": "{drop_rate: 0.2}",
    "model.input_size": "64",
    "data.shorter_side": "80",
    "data.validation": "0.25",
    "data.test": "0.25",
    "crops.train": "random-resized",
    "augment.rotation": "10",
    "train.epochs": "3",
    "train.batch_size": "16",
    "train.sampling": "balanced",
}


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 140 small synthetic images in the layout of HAM10000."""
    return generate_dataset(tmp_path_factory.mktemp("synthetic") / "ham", num_images=140, seed=3, size=(120, 160))


@pytest.fixture(scope="session")
def words(small_set: Path) -> list[str]:
    """Give the overrides of the recipe ``tiny.yaml`` (empty but for what must be there)."""
    options = {
        "data": f"ham10000:{small_set}",
        "data.store_folder": str(small_set.with_name("store")),
        **TINY,
    }
    return [f"{key}={value}" for key, value in options.items()]


@pytest.fixture(scope="session")
def recipe(small_set: Path) -> str:
    """Write a recipe file that holds next to nothing."""
    file = small_set.with_name("tiny.yaml")
    file.write_text("data: {source: 'ham10000:.'}\nmodel: {}\n")
    return str(file)
