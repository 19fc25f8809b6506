"""Synthetic datasets in official layouts: read without warnings, every class in every split, correct annotations."""

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import load_table
from lesionlens.imaging.superpixels import read_feature_masks, union_of_features
from lesionlens.synthesis.artifacts import ArtifactRates
from lesionlens.synthesis.dataset import generate_dataset
from lesionlens.synthesis.layouts import (
    ISIC2017_CLASS_WEIGHTS,
    LAYOUTS,
    generate_in_layout,
    read_generated,
)
from lesionlens.synthesis.sampling import sample_dataset
from lesionlens.synthesis.structures import read_structures

SIZE = (32, 40)
IMAGES = {"isic2018": 46, "derm7pt": 36}  # layouts with many classes
NUM_SPLITS = {"isic2016": 2, "isic2017": 3, "isic2018": 3, "isic2018-task1": 3, "derm7pt": 3}


@pytest.fixture(scope="module")
def layouts_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("layouts")
    for name in LAYOUTS:
        generate_in_layout(name, root / name, num_images=IMAGES.get(name, 20), seed=1, size=SIZE)
    return root


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_is_read_without_warnings_as_synthetic(layouts_root: Path, name: str) -> None:
    table = load_table(f"{name}:{layouts_root / name}", verify_images=True)
    frame = table.frame
    images = IMAGES.get(name, 20)
    assert len(table) == images
    assert table.warnings == table.excluded == ()
    assert set(frame["source"]) == {"synthetic"}
    assert (frame["mask_path"] != "").all()
    assert (frame["feature_mask_paths"] != "").mean() > 0.6
    assert set(frame["skin_tone"]) <= {"I", "II", "III", "IV", "V", "VI"}
    numbers = frame["image_id"].str.removeprefix("ISIC_").astype(int)
    assert sorted(numbers) == list(range(9_000_001, 9_000_001 + images))
    for image, mask in zip(frame["path"], frame["mask_path"], strict=True):
        assert cv2.imread(image).shape[:2] == cv2.imread(mask, cv2.IMREAD_UNCHANGED).shape == SIZE


@pytest.mark.parametrize("name", NUM_SPLITS)
def test_every_split_has_every_class_and_complete_lesions(layouts_root: Path, name: str) -> None:
    table = load_table(f"{name}:{layouts_root / name}")
    frame = table.frame
    assert set(frame["split"]) <= {"train", "validation", "test"}
    pairs = set(zip(frame["split"], frame["diagnosis"], strict=True))
    assert len(pairs) == NUM_SPLITS[name] * max(1, len(table.classes))
    generated = sample_dataset(len(frame), seed=1, class_weights=LAYOUTS[name].class_weights)
    split_of = dict(zip(frame["image_id"], frame["split"], strict=True))
    assert all(len({split_of[image] for image in lesion.image_ids}) == 1 for lesion in generated)


@pytest.mark.parametrize("name", ["isic2018", "derm7pt"])
def test_lesion_ids_are_those_of_the_generated_lesions(layouts_root: Path, name: str) -> None:
    frame = load_table(f"{name}:{layouts_root / name}").frame
    lesion_of = dict(zip(frame["image_id"], frame["lesion_id"], strict=True))
    generated = sample_dataset(len(frame), seed=1, class_weights=LAYOUTS[name].class_weights)
    assert max(len(lesion.image_ids) for lesion in generated) > 1
    assert len(set(lesion_of.values())) == len(generated)
    assert all(len({lesion_of[image] for image in lesion.image_ids}) == 1 for lesion in generated)


def test_labels_and_images_are_those_generated(layouts_root: Path, tmp_path: Path) -> None:
    generated = generate_dataset(
        tmp_path / "ham", num_images=9, seed=1, size=SIZE, class_weights=ISIC2017_CLASS_WEIGHTS
    )
    rows = [line.split(",") for line in (generated / "HAM10000_metadata.csv").read_text().splitlines()[1:]]
    frame = load_table(f"isic2017:{layouts_root / 'isic2017'}").frame.set_index("image_id")
    names = {"mel": "melanoma", "nv": "nevus", "bkl": "seborrheic_keratosis"}
    for _, image_id, dx, *_ in rows:
        assert frame["diagnosis"][image_id] == names[dx]
        original = generated / "HAM10000_images" / f"{image_id}.jpg"
        assert Path(frame["path"][image_id]).read_bytes() == original.read_bytes()


def test_dermoscopic_features_cover_the_structures(layouts_root: Path) -> None:
    root = layouts_root / "isic2017"
    num_annotated: Counter[str] = Counter()
    for cell, image_id in load_table(f"isic2017:{root}").frame[["feature_mask_paths", "image_id"]].values:
        masks = read_feature_masks(*map(Path, cell.split(";")))
        assert list(masks) == ["pigment_network", "negative_network", "streaks", "milia_like_cyst"]
        path = root / "structures" / f"{image_id}_structures.png"
        generated = read_structures(path) if path.is_file() else {}
        for feature, structure in (
            ("pigment_network", "pigment_network"),
            ("milia_like_cyst", "milia_like_cysts"),
        ):
            truth = generated.get(structure, np.zeros(SIZE, bool))
            for y in range(0, SIZE[0], 8):  # squares of eight pixels
                for x in range(0, SIZE[1], 8):
                    square = np.s_[y : y + 8, x : x + 8]
                    assert masks[feature][square].all() == (truth[square].mean() >= 0.1)
                    assert masks[feature][square].any() == masks[feature][square].all()
            num_annotated[feature] += bool(masks[feature].any())
        union = union_of_features(cell, SIZE)
        assert union is not None
        assert ((union > 0) == np.logical_or.reduce(list(masks.values()))).all()
    assert min(num_annotated.values()) > 0


def test_artifacts_can_be_excluded(tmp_path: Path) -> None:
    rates = ArtifactRates(by_class={"ruler": {"mel": 1.0}}).excluding(["ruler", "hair"])
    root = generate_in_layout("isic2016", tmp_path / "set", num_images=12, size=SIZE, artifacts=rates)
    header, *rows = [line.split(",") for line in (root / "artifacts.csv").read_text().splitlines()]
    for name in ("ruler", "hair"):
        assert {row[header.index(name)] for row in rows} == {"0"}
    assert json.loads((root / "synthesis.json").read_text())["artifacts"]["by_class"]["ruler"]["nv"] == 0


def test_split_fractions_hold_for_each_class(tmp_path: Path) -> None:
    labels = {"mel": "melanoma", "nv": "nevus"}
    rows = [f"L{n},I{n},{'mel' if n % 4 == 0 else 'nv'}" for n in range(400)]
    (tmp_path / "HAM10000_metadata.csv").write_text("\n".join(["lesion_id,image_id,dx", *rows]))
    fractions = {"a": 0.6, "b": 0.1, "c": 0.3}
    generated = read_generated(tmp_path, labels=labels, split_fractions=fractions, size=SIZE)
    counts = generated.rows.groupby(["label", "split"]).size()
    assert counts["melanoma"].to_dict() == {"a": 60, "b": 10, "c": 30}
    assert counts["nevus"].to_dict() == {"a": 180, "b": 30, "c": 90}


@pytest.mark.slow
@pytest.mark.parametrize("name", NUM_SPLITS)
def test_sixty_images_suffice_for_any_seed(name: str) -> None:
    layout = LAYOUTS[name]
    for seed in range(3):
        lesions = sample_dataset(60, seed=seed, class_weights=layout.class_weights)
        counts = Counter(layout.labels[plan.lesion.criteria.code] for plan in lesions)
        assert min(counts[label] for label in layout.labels.values()) >= len(layout.split_fractions)


def test_too_few_images_raise(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"7 images are too few: they have . lesions? of class .* for 3 splits.*generate more",
    ):
        generate_in_layout("derm7pt", tmp_path / "set", num_images=7, size=SIZE)
    with pytest.raises(DataError, match="unknown layout 'isic17': did you mean 'isic2017'"):
        generate_in_layout("isic17", tmp_path / "set", num_images=60)
    assert list(tmp_path.iterdir()) == []
