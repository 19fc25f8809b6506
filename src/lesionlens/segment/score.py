"""Predicted masks against the true ones of a table."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lesionlens.atomic import replacing, write_text
from lesionlens.data.mask_files import masks_in
from lesionlens.data.problems import Problems
from lesionlens.errors import DataError, ImageError
from lesionlens.segment.bundle import Loaded
from lesionlens.segment.cases import Case, read_sources
from lesionlens.segment.masks import Mask, read_mask
from lesionlens.segment.predict import masks_of
from lesionlens.segment.scores import ImageScore, MaskScores, image_score, mean_scores
from lesionlens.training.left_out import LeftOut


@dataclass(frozen=True)
class Scored:
    """The scores of each case, in order, and of all together.

    Attributes
    ----------
    left_out
        Images of the table without a true mask.
    """

    cases: tuple[Case, ...]
    each: tuple[ImageScore, ...]
    mean: MaskScores
    left_out: tuple[LeftOut, ...] = ()

    def save(self, file: Path) -> None:
        """Write the means as JSON, and each image's scores as CSV beside it."""
        write_text(file, self.mean.model_dump_json(indent=2) + "\n")
        frame = pd.DataFrame(self.each)
        frame.insert(0, "image_id", [case.image_id for case in self.cases])
        frame.insert(1, "lesion_id", [case.lesion_id for case in self.cases])
        with replacing(file.with_suffix(".csv")) as part:
            frame.to_csv(part, index=False)


def score_network(loaded: Loaded, cases: Iterable[Case]) -> Scored:
    """Draw the masks of images at their own size, and score them against the true ones."""
    cases = tuple(cases)
    drawn = masks_of(loaded, [case.path for case in cases], tidy=loaded.card.tidy)
    return _scored(cases, [_of_network(mask, case) for case, mask in zip(cases, drawn, strict=True)])


def score_folder(
    folder: Path, source: str, *, part: str | None = None, replicates: int = 1000, seed: int = 0
) -> Scored:
    """Score the masks of a folder, ``ID_segmentation.png`` or ``ID.png``, against those of a table.

    As the official scorer does, an empty true mask counts: 1 if the predicted one is empty too, else 0.

    Parameters
    ----------
    part
        Of the table's official parts: these images alone.

    Raises
    ------
    DataError
        The table or the folder cannot be used, or a mask is missing, damaged or of another size than the true one.
    """
    sources = read_sources([source])
    names = sources.tables[0].frame.set_index("image_id")["part"]
    cases = tuple(case for case in sources.cases if part is None or names[case.image_id] == part)
    if not cases:
        raise DataError(f"{source} has no image with a mask in the part {part!r}")
    ids = [case.image_id for case in cases]
    drawn = [(case, file) for case, file in zip(cases, masks_in(folder, ids), strict=True) if file]
    problems = Problems()
    absent = sorted(set(ids) - {case.image_id for case, _ in drawn})
    problems.error(
        "images without a predicted mask", absent, do="Predict them, or score one part with --part."
    )
    problems.raise_errors(str(folder))
    each = [_of_file(file, case) for case, file in drawn]
    scored = _scored(cases, each, replicates=replicates, seed=seed)
    return Scored(scored.cases, scored.each, scored.mean, sources.left_out)


def _scored(
    cases: tuple[Case, ...], each: list[ImageScore], *, replicates: int = 1000, seed: int = 0
) -> Scored:
    lesions = [case.lesion_id for case in cases]
    return Scored(cases, tuple(each), mean_scores(each, lesions, replicates=replicates, seed=seed))


def _of_file(file: Path, case: Case) -> ImageScore:
    true = read_mask(case.mask_path)
    return image_score(read_mask(file, size=(true.shape[0], true.shape[1])), true)


def _of_network(drawn: Mask | ImageError, case: Case) -> ImageScore:
    if isinstance(drawn, ImageError):
        raise drawn
    return image_score(drawn, read_mask(case.mask_path, size=(drawn.shape[0], drawn.shape[1])))
