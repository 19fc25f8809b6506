"""Draw one synthetic lesion with its mask in each quality that an attention prior may have.

python docs/img/prior_qualities.py docs/img/prior-qualities.png
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from lesionlens.data.mask_degradation import AMOUNTS, jaccard, worse
from lesionlens.synthesis.dataset import synthesise

QUALITIES = ("exact", "polygon", "circle", "box", "eroded", "dilated", "noise", "shifted", "elsewhere")
SIZE = (240, 320)
SHOWN, OTHER = 7, 1  # which images of the set


def main(out: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = synthesise(Path(folder) / "ham", images=8, seed=5, size=SIZE)
        images = sorted((root / "HAM10000_images").iterdir())
        masks = [np.asarray(Image.open(root / "masks" / f"{path.stem}_segmentation.png")) for path in images]
        image, exact, other = np.asarray(Image.open(images[SHOWN])), masks[SHOWN], masks[OTHER]
    figure, axes = plt.subplots(3, 3, figsize=(8.6, 7))
    for axis, quality in zip(axes.flat, QUALITIES, strict=True):
        found = (
            other
            if quality == "elsewhere"
            else worse(exact, quality, None, seed=0, image_id=images[SHOWN].stem)
        )
        axis.imshow(image)
        axis.imshow(np.ma.masked_equal(found, 0), cmap="Blues", vmin=0, vmax=300, alpha=0.35)
        axis.contour(exact, [128], colors="white", linewidths=1, linestyles="--")
        axis.contour(found, [128], colors="#0b3d91", linewidths=1.6)
        usual = f" {AMOUNTS[quality].usual:g}" if quality in AMOUNTS else ""
        axis.set_title(f"{quality}{usual}: Jaccard {jaccard(found, exact):.2f}", fontsize=10)
        axis.set_axis_off()
    figure.tight_layout()
    figure.savefig(out, dpi=90)


if __name__ == "__main__":
    main(*sys.argv[1:])
