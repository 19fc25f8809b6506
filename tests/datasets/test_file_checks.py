"""Checks of image and mask files: unusual masks and identical images are named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import load_table

from ..helpers.images import write_image

SIZE = (40, 30)
ROWS, COLUMNS = np.mgrid[: SIZE[1], : SIZE[0]]
LESION = ((COLUMNS - 20) / 12) ** 2 + ((ROWS - 15) / 9) ** 2 < 1
RING = LESION & (((COLUMNS - 20) / 10) ** 2 + ((ROWS - 15) / 7) ** 2 >= 1)


def warnings_of(folder: Path, masks: list[np.ndarray]) -> tuple[str, ...]:
    lines = []
    for number, mask in enumerate(masks):
        write_image(folder / f"{number}.png", seed=number, size=SIZE)
        Image.fromarray((mask * 255).astype(np.uint8)).save(folder / f"{number}_m.png")
        lines.append(f"{number}.png,{'mel' if number % 2 else 'nv'},L{number},{number}_m.png")
    (folder / "t.csv").write_text("image,label,lesion_id,mask_path\n" + "\n".join(lines))
    return load_table(f"table:{folder / 't.csv'}", verify_images=True).warnings


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        (np.zeros_like(LESION), "lesion masks without a lesion"),
        (np.ones_like(LESION), "lesion masks that cover the full image"),
        (~LESION, "lesion masks that may be inverted"),
        (RING, "lesion masks that are outlines"),
    ],
)
def test_check_files_names_unusual_masks(tmp_path: Path, mask: np.ndarray, kind: str) -> None:
    (warning,) = warnings_of(tmp_path, [LESION, mask, LESION])
    assert warning.startswith(f"{kind}: 1 (1). ")


@pytest.mark.parametrize("mask", [LESION, LESION & (ROWS % 7 > 0), LESION | (COLUMNS < 20), ROWS < 29])
def test_check_files_accepts_usual_masks(tmp_path: Path, mask: np.ndarray) -> None:
    assert warnings_of(tmp_path, [LESION, mask]) == ()


def test_check_files_names_ambiguous_masks(tmp_path: Path) -> None:
    warnings_of(tmp_path, [LESION, LESION])
    Image.fromarray(LESION.astype(np.uint8) + (ROWS < 15)).save(tmp_path / "1_m.png")
    (warning,) = load_table(f"table:{tmp_path / 't.csv'}", verify_images=True).warnings
    assert warning.startswith(f"masks that cannot be used: 1 (the mask {tmp_path / '1_m.png'} is ambiguous: ")
    assert load_table(f"table:{tmp_path / 't.csv'}").warnings == ()


@pytest.mark.parametrize("kind", ["absolute", "parent", "link", "linked folder", "mask", "inside"])
def test_within_root_rejects_files_elsewhere(tmp_path: Path, kind: str) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for folder in (root, elsewhere):
        write_image(folder / "a.png")
        write_image(folder / "b.png", seed=1)
    (root / "link.png").symlink_to("../elsewhere/b.png")
    (root / "folder").symlink_to("../elsewhere")
    (root / "c.png").symlink_to("b.png")
    cells = {
        "absolute": (str(elsewhere / "b.png"), ""),
        "parent": ("../elsewhere/b.png", ""),
        "link": ("link.png", ""),
        "linked folder": ("folder/b.png", ""),
        "mask": ("b.png", "../elsewhere/a.png"),
        "inside": ("c.png", "a.png"),
    }
    image, mask = cells[kind]
    (root / "t.csv").write_text(f"image,label,mask_path\na.png,nv,\n{image},mel,{mask}\n")
    assert len(load_table(f"table:{root / 't.csv'}")) == 2
    if kind == "inside":
        assert len(load_table(f"table:{root / 't.csv'}", within_root=True)) == 2
        return
    with pytest.raises(
        DataError, match=r"files outside the folder of the dataset: 1 \(.*\)\. Copy them below"
    ):
        load_table(f"table:{root / 't.csv'}", within_root=True)


def test_check_files_names_identical_images(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 0), ("d", 1), ("e", 1), ("f", 2)):
        write_image(tmp_path / f"{name}.png", seed=seed)
    (tmp_path / "t.csv").write_text("image,label\na,mel\nb,mel\nc,nv\nd,nv\ne,nv\nf,mel\n")
    table = load_table(f"table:{tmp_path / 't.csv'}", verify_images=True)
    assert table.warnings[0].startswith("groups of identical image files: 2 (a = b = c, d = e). ")
    assert table.warnings[1].startswith(
        "identical image files with different labels: 1 (a melanoma and b melanoma and c nevus). "
    )
    assert load_table(f"table:{tmp_path / 't.csv'}").warnings == ()
