"""ISIC 2018, task 1: images with lesion masks in three parts; no diagnoses."""

from lesionlens.synthesis.layouts.painted import Painted

WEIGHTS = {"mel": 0.2, "nv": 0.6, "bkl": 0.2}
LABELS = {"mel": "melanoma", "nv": "nevus", "bkl": "seborrheic_keratosis"}  # no file tells them
SHARES = {"Training": 0.7, "Validation": 0.1, "Test": 0.2}


def write(painted: Painted) -> None:
    """Name files as the organisers did; structures stay in the set's own folder, in place of task 2's attributes."""
    for part, rows in painted.parts():
        painted.move_images(rows, f"ISIC2018_Task1-2_{part}_Input")
        painted.move_masks(rows, f"ISIC2018_Task1_{part}_GroundTruth")
