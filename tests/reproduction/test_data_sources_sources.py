"""Real images are those that were given; small profiles draw their own; nothing is mixed in one folder."""

from pathlib import Path

import pytest
from rich.console import Console

from lesionlens.core.errors import DataError, RunError
from lesionlens.reproduction.catalog import load_table_spec
from lesionlens.reproduction.data_sources import parse_sources, resolve_source
from lesionlens.reproduction.profiles import PROFILES

from ..helpers.tiny_datasets import write_isic2017

QUIET = Console(quiet=True)
TABLE = load_table_spec("arl/table5")


def test_one_source_of_each_data_set(tmp_path: Path) -> None:
    source = f"isic2017:{write_isic2017(tmp_path / 'isic2017')}"
    assert parse_sources([source]) == {"isic2017": source}
    with pytest.raises(DataError, match="two sources of isic2017"):
        parse_sources([source, source])


def test_the_papers_protocol_needs_real_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--dataset isic2017:FOLDER"):
        resolve_source(TABLE, {}, PROFILES["paper"], tmp_path, QUIET)


def test_other_images_than_before_are_refused(tmp_path: Path) -> None:
    one, other = (f"isic2017:{write_isic2017(tmp_path / str(count), (count, 3, 3))}" for count in (4, 5))
    short, out = PROFILES["short"], tmp_path / "out"
    assert resolve_source(TABLE, {"isic2017": one}, short, out, QUIET) == one
    assert resolve_source(TABLE, {"isic2017": one}, short, out, QUIET) == one
    with pytest.raises(RunError, match="begun with other images of isic2017"):
        resolve_source(TABLE, {"isic2017": other}, short, out, QUIET)
