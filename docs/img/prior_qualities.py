"""Plot one synthetic lesion with each degradation of its mask that attention supervision supports.

python docs/img/prior_qualities.py docs/img/prior-qualities.png
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from lesionlens.data.mask_degradation import SEVERITIES, degrade_mask
from lesionlens.imaging.masks import iou
from lesionlens.synthesis.dataset import generate_dataset

DEGRADATIONS = (
    "exact", "polygon", "circle", "bounding_box", "eroded", "dilated", "jittered_contour", "shifted", "mismatched",
)  # fmt: skip
SIZE = (240, 320)
SHOWN, MISMATCHED = 7, 1  # indices of the plotted image and of the image whose mask is used for "mismatched"


def main(out: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = generate_dataset(Path(folder) / "ham", num_images=8, seed=5, size=SIZE)
        images = sorted((root / "HAM10000_images").iterdir())
        masks = [np.asarray(Image.open(root / "masks" / f"{path.stem}_segmentation.png")) for path in images]
        image, exact, mismatched = np.asarray(Image.open(images[SHOWN])), masks[SHOWN], masks[MISMATCHED]
    figure, axes = plt.subplots(3, 3, figsize=(8.6, 7))
    for axis, degradation in zip(axes.flat, DEGRADATIONS, strict=True):
        mask = (
            mismatched
            if degradation == "mismatched"
            else degrade_mask(exact, degradation, None, seed=0, image_id=images[SHOWN].stem)
        )
        axis.imshow(image)
        axis.imshow(np.ma.masked_equal(mask, 0), cmap="Blues", vmin=0, vmax=300, alpha=0.35)
        axis.contour(exact, [128], colors="white", linewidths=1, linestyles="--")
        axis.contour(mask, [128], colors="#0b3d91", linewidths=1.6)
        severity = f" {SEVERITIES[degradation].default:g}" if degradation in SEVERITIES else ""
        axis.set_title(f"{degradation}{severity}: IoU {iou(mask, exact):.2f}", fontsize=10)
        axis.set_axis_off()
    figure.tight_layout()
    figure.savefig(out, dpi=90)


if __name__ == "__main__":
    main(*sys.argv[1:])
