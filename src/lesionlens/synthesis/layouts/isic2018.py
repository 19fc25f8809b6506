"""ISIC 2018, task 3: the seven classes of HAM10000 in three parts, with lesion groupings and lesion masks."""

from lesionlens.data.taxonomy import DIAGNOSES, ISIC2018_CLASSES
from lesionlens.synthesis.layouts.painted import GeneratedDataset

_ISIC2018_CLASS_WEIGHTS = {"mel": 0.18, "nv": 0.3, "bcc": 0.12, "akiec": 0.1, "bkl": 0.12, "df": 0.09, "vasc": 0.09}
_ISIC2018_CODES = tuple(DIAGNOSES[name].code for name in ISIC2018_CLASSES)
_ISIC2018_LABELS = {code.lower(): code for code in _ISIC2018_CODES}
_ISIC2018_SPLIT_FRACTIONS = {"Training": 0.7, "Validation": 0.1, "Test": 0.2}
_CONFIRMATION_METHODS = {
    "histo": "histopathology",
    "follow_up": "serial imaging showing no change",
    "consensus": "single image expert consensus",
    "confocal": "confocal microscopy with consensus dermoscopy",
}


def _write_isic2018(dataset: GeneratedDataset) -> None:
    """Name files as the organisers did, with groupings of every part; masks as those of HAM10000."""
    for part, rows in dataset.splits():
        stem = f"ISIC2018_Task3_{part}"
        dataset.move_images(rows, f"{stem}_Input")
        truth = (
            (name, *(float(label == code) for code in _ISIC2018_CODES))
            for name, label in zip(rows["image_id"], rows["label"], strict=True)
        )
        dataset.write_csv(f"{stem}_GroundTruth.csv", ("image", *_ISIC2018_CODES), truth)
        lesions = rows[["image_id", "lesion_id", "dx_type"]].replace({"dx_type": _CONFIRMATION_METHODS})
        header = ("image", "lesion_id", "diagnosis_confirm_type")
        dataset.write_csv(f"{stem}_LesionGroupings.csv", header, lesions.itertuples(index=False))
    dataset.move_masks(dataset.rows, "HAM10000_segmentations_lesion_tschandl")
