"""The miniatures of the official layouts, one fixture each."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from .. import drawing, miniatures

Draw = Callable[..., Path]
Write = Callable[[Path, str, Iterable[str]], Path]


@pytest.fixture(scope="session")
def draw() -> Draw:
    return drawing.write_image


@pytest.fixture(scope="session")
def write() -> Write:
    return drawing.write_lines


@pytest.fixture
def isic2016(tmp_path: Path) -> Path:
    return miniatures.write_isic2016(tmp_path)


@pytest.fixture
def isic2017(tmp_path: Path) -> Path:
    return miniatures.write_isic2017(tmp_path)


@pytest.fixture
def ham10000(tmp_path: Path) -> Path:
    return miniatures.write_ham10000(tmp_path)


@pytest.fixture
def isic2018(tmp_path: Path) -> Path:
    return miniatures.write_isic2018(tmp_path)


@pytest.fixture
def derm7pt(tmp_path: Path) -> Path:
    return miniatures.write_derm7pt(tmp_path)


@pytest.fixture
def isic2019(tmp_path: Path) -> Path:
    return miniatures.write_isic2019(tmp_path)
