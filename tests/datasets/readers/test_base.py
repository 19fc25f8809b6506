"""A set in any layout that says it is synthetic: marked as such, and its truth found."""

from pathlib import Path

import pytest

from lesionlens.datasets.registry import load_table
from lesionlens.datasets.summary import summarize_table

from ...helpers import tiny_datasets as miniatures


@pytest.mark.parametrize("name", ["isic2018", "isic2019", "derm7pt"])
def test_any_layout_that_says_so_is_synthetic_and_has_its_truth(
    name: str, request: pytest.FixtureRequest, draw, write
) -> None:
    root: Path = request.getfixturevalue(name)
    before = load_table(f"{name}:{root}").frame
    one = before["image_id"][0]
    mask = draw(root / "masks" / f"{one}_segmentation.png")
    structures = draw(root / "structures" / f"{one}_structures.png")
    write(root / "artifacts.csv", "image_id,hair,skin_tone", [f"{one},1,IV"])
    assert load_table(f"{name}:{root}").frame.equals(before)  # nobody said so
    write(root / "synthesis.json", "{}", [])
    table = load_table(f"{name}:{root}")
    rest = [""] * (len(before) - 1)
    assert set(table.frame["source"]) == {"synthetic"}
    assert table.frame["mask_path"].tolist() == [str(mask), *rest]
    assert table.frame["feature_mask_paths"].tolist() == [str(structures), *rest]
    assert table.frame["skin_tone"].tolist() == ["IV", *rest]
    assert summarize_table(table).startswith("Synthetic images: ")


def test_the_layouts_own_masks_go_before(tmp_path: Path, draw, write) -> None:
    root = miniatures.write_isic2017(tmp_path, masks=True, features=True)
    before = load_table(f"isic2017:{root}").frame
    draw(root / "masks" / f"{before['image_id'][0]}_segmentation.png")
    draw(root / "structures" / f"{before['image_id'][0]}_structures.png")
    write(root / "synthesis.json", "{}", [])
    after = load_table(f"isic2017:{root}").frame
    columns = ["mask_path", "feature_mask_paths"]
    assert after[columns].equals(before[columns])


def test_a_table_of_ones_own_is_what_it_says_itself(tmp_path: Path, draw, write) -> None:
    draw(tmp_path / "a.jpg")
    write(tmp_path / "synthesis.json", "{}", [])
    table = write(tmp_path / "mine.csv", "image,label", ["a,nevus"])
    assert load_table(f"table:{table}").frame["source"].tolist() == ["table"]
