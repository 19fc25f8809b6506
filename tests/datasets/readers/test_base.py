"""Synthetic datasets in any layout: marked as synthetic, with their ground truth."""

from pathlib import Path

import pytest

from lesionlens.datasets.registry import load_table
from lesionlens.datasets.summary import summarize_table

from ...helpers import tiny_datasets


@pytest.mark.parametrize("name", ["isic2018", "isic2019", "derm7pt"])
def test_any_layout_marked_synthetic_has_its_ground_truth(
    name: str, request: pytest.FixtureRequest, write_image, write
) -> None:
    root: Path = request.getfixturevalue(name)
    before = load_table(f"{name}:{root}").frame
    image_id = before["image_id"][0]
    mask = write_image(root / "masks" / f"{image_id}_segmentation.png")
    structures = write_image(root / "structures" / f"{image_id}_structures.png")
    write(root / "artifacts.csv", "image_id,hair,skin_tone", [f"{image_id},1,IV"])
    assert load_table(f"{name}:{root}").frame.equals(before)  # not yet marked as synthetic
    write(root / "synthesis.json", "{}", [])
    table = load_table(f"{name}:{root}")
    rest = [""] * (len(before) - 1)
    assert set(table.frame["source"]) == {"synthetic"}
    assert table.frame["mask_path"].tolist() == [str(mask), *rest]
    assert table.frame["feature_mask_paths"].tolist() == [str(structures), *rest]
    assert table.frame["skin_tone"].tolist() == ["IV", *rest]
    assert summarize_table(table).startswith("Synthetic images: ")


def test_masks_of_the_layout_take_precedence(tmp_path: Path, write_image, write) -> None:
    root = tiny_datasets.write_isic2017(tmp_path, masks=True, features=True)
    before = load_table(f"isic2017:{root}").frame
    write_image(root / "masks" / f"{before['image_id'][0]}_segmentation.png")
    write_image(root / "structures" / f"{before['image_id'][0]}_structures.png")
    write(root / "synthesis.json", "{}", [])
    after = load_table(f"isic2017:{root}").frame
    columns = ["mask_path", "feature_mask_paths"]
    assert after[columns].equals(before[columns])


def test_custom_table_is_not_marked_synthetic(tmp_path: Path, write_image, write) -> None:
    write_image(tmp_path / "a.jpg")
    write(tmp_path / "synthesis.json", "{}", [])
    table = write(tmp_path / "mine.csv", "image,label", ["a,nevus"])
    assert load_table(f"table:{table}").frame["source"].tolist() == ["table"]
