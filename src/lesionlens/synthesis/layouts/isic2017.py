"""ISIC 2017: three classes (part 3), lesion masks (part 1), dermoscopic features of superpixels (part 2)."""

import io
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionlens.data.superpixels import ISIC2017_FEATURES
from lesionlens.synthesis.layouts.painted import GeneratedDataset
from lesionlens.synthesis.structures import read_structures

ISIC2017_CLASS_WEIGHTS = {"mel": 0.25, "nv": 0.5, "bkl": 0.25}
_ISIC2017_LABELS = {"mel": "melanoma", "nv": "nevus", "bkl": "seborrheic_keratosis"}
_ISIC2017_SPLIT_FRACTIONS = {"Training": 0.65, "Validation": 0.1, "Test_v2": 0.25}
SUPERPIXEL_SIDE = 8  # pixels of a superpixel: squares in place of the organisers' SLIC
MIN_SUPERPIXEL_COVERAGE = 0.1  # of a superpixel that a structure has to cover to be annotated there
_FEATURE_STRUCTURES = {"pigment_network": "network", "streaks": "streaks", "milia_like_cyst": "milia"}  # of FEATURES


def _write_isic2017(dataset: GeneratedDataset) -> None:
    """Name files as the organisers did; no negative network is painted, so none is annotated."""
    labels = _square_superpixels(dataset.size)
    superpixels = _encode_superpixels(labels)
    for part, rows in dataset.splits():
        stem = f"ISIC-2017_{part}"
        dataset.move_images(rows, f"{stem}_Data")
        dataset.move_masks(rows, f"{stem}_Part1_GroundTruth")
        (dataset.root / f"{stem}_Part2_GroundTruth").mkdir()
        for image_id in rows["image_id"]:
            (dataset.root / f"{stem}_Data" / f"{image_id}_superpixels.png").write_bytes(superpixels)
            told = dataset.root / f"{stem}_Part2_GroundTruth" / f"{image_id}_features.json"
            flags = _feature_flags(dataset.root / "structures" / f"{image_id}_structures.png", labels)
            told.write_text(json.dumps(flags), encoding="utf-8")
        truth = (
            (name, float(label == _ISIC2017_LABELS["mel"]), float(label == _ISIC2017_LABELS["bkl"]))
            for name, label in zip(rows["image_id"], rows["label"], strict=True)
        )
        dataset.write_csv(
            f"{stem}_Part3_GroundTruth.csv", ("image_id", "melanoma", "seborrheic_keratosis"), truth
        )
        about = rows[["image_id", "age", "sex"]].replace("", "unknown").itertuples(index=False)
        dataset.write_csv(f"{stem}_Data_metadata.csv", ("image_id", "age_approximate", "sex"), about)


def _square_superpixels(size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Give each square a number, row by row; (h, w)."""
    y, x = np.mgrid[: size[0], : size[1]] // SUPERPIXEL_SIDE
    return np.asarray(y * (x.max() + 1) + x)


def _encode_superpixels(labels: npt.NDArray[np.int64]) -> bytes:
    """Encode the numbers as colours of a PNG, red lowest."""
    colours = np.stack([labels & 255, labels >> 8, labels >> 16], axis=2).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(colours).save(stream, format="png")
    return stream.getvalue()


def _feature_flags(structures_path: Path, labels: npt.NDArray[np.int64]) -> dict[str, list[int]]:
    """Give by feature one flag for each superpixel; none of them where nothing was painted."""
    masks = read_structures(structures_path) if structures_path.is_file() else {}
    area = np.bincount(labels.ravel())
    flags = {}
    for feature in ISIC2017_FEATURES:
        mask = masks.get(_FEATURE_STRUCTURES.get(feature, ""), np.zeros(labels.shape, bool))
        share = np.bincount(labels.ravel(), weights=mask.ravel()) / area
        flags[feature] = (share >= MIN_SUPERPIXEL_COVERAGE).astype(int).tolist()
    return flags
