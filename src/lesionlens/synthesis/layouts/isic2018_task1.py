"""ISIC 2018, task 1: images with lesion masks in three parts; no diagnoses."""

from lesionlens.synthesis.layouts.painted import GeneratedDataset

_ISIC2018_TASK1_CLASS_WEIGHTS = {"mel": 0.2, "nv": 0.6, "bkl": 0.2}
_ISIC2018_TASK1_LABELS = {"mel": "melanoma", "nv": "nevus", "bkl": "seborrheic_keratosis"}  # no file tells them
_ISIC2018_TASK1_SPLIT_FRACTIONS = {"Training": 0.7, "Validation": 0.1, "Test": 0.2}


def _write_isic2018_task1(dataset: GeneratedDataset) -> None:
    """Name files as the organisers did; structures stay in the set's own folder, in place of task 2's attributes."""
    for part, rows in dataset.splits():
        dataset.move_images(rows, f"ISIC2018_Task1-2_{part}_Input")
        dataset.move_masks(rows, f"ISIC2018_Task1_{part}_GroundTruth")
