"""A synthetic data set in the official layout of HAM10000, with the truth that real sets lack."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import lesionlens
from lesionlens.core.errors import DataError
from lesionlens.core.fileio import atomic_directory
from lesionlens.imaging.masks import ImageSize
from lesionlens.synthesis.artifacts import ARTIFACTS, ArtifactRates
from lesionlens.synthesis.sampling import (
    HAM10000_COLUMNS,
    LesionPlan,
    normalize_class_weights,
    render_images,
    sample_dataset,
)
from lesionlens.synthesis.structures import STRUCTURE_BITS

SYNTHETIC_NOTICE = "Synthetic images: drawn by a program, of no patient. Not for any medical use."


def generate_dataset(
    root: Path,
    *,
    num_images: int,
    seed: int = 0,
    size: ImageSize = (450, 600),
    difficulty: float = 0.5,
    artifacts: ArtifactRates | None = None,
    class_weights: Mapping[str, float] | None = None,
    num_workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a synthetic data set into the new folder ``root``; complete or not at all.

    Parameters
    ----------
    root
        Folder that does not exist yet or is empty.
    num_images
        How many images. Image i depends on the seed alone, not on how many are made or by how many workers.
    size
        Height and width in pixels.
    difficulty
        0: classes are distinct; 1: they look alike.
    artifacts
        How often hair, ruler, bubbles, ink, sticker and dark corners occur, by class if wished.
    class_weights
        HAM10000 code -> relative frequency of lesions; None: flatter than HAM10000.
    num_workers
        Processes that paint.
    progress
        Called with images done and images in all after each lesion.

    Returns
    -------
    Path
        ``root``, with ``HAM10000_metadata.csv``, ``HAM10000_images/``, ``masks/``, ``structures/`` (16-bit
        PNG; the bits are listed in ``synthesis.json``), ``artifact_masks/`` (where hair, ruler, bubbles, ink or
        sticker changed the picture; no file where there is none), ``artifacts.csv`` and ``synthesis.json``.

    Raises
    ------
    DataError
        ``root`` holds something already, or an option is outside what is allowed.
    """
    root = Path(root)
    if min(size) < 32:
        raise DataError(f"size is {size}; allowed is 32 pixels or more a side. Give (height, width).")
    plans = sample_dataset(
        num_images, seed=seed, difficulty=difficulty, artifacts=artifacts, class_weights=class_weights
    )
    about = {
        "statement": SYNTHETIC_NOTICE, "lesionlens": lesionlens.__version__, "images": num_images, "seed": seed,
        "size": list(size), "difficulty": difficulty, "artifacts": asdict(artifacts or ArtifactRates()),
        "class_weights": normalize_class_weights(class_weights), "structure_bits": STRUCTURE_BITS,
    }  # fmt: skip
    with atomic_directory(root) as folder:
        for name in ("HAM10000_images", "masks", "structures", "artifact_masks"):
            (folder / name).mkdir()
        done = 0
        for written in _map_plans(partial(_write_lesion, folder=folder, size=size), plans, num_workers):
            done += written
            if progress:
                progress(done, num_images)
        _write_tables(folder, plans)
        (folder / "synthesis.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return root


def _map_plans(task: Callable[[LesionPlan], int], plans: list[LesionPlan], num_workers: int) -> Iterator[int]:
    if num_workers <= 1:
        yield from map(task, plans)
        return
    # spawn: a forked child may inherit a lock of OpenCV's threads
    with ProcessPoolExecutor(num_workers, get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        yield from pool.map(task, plans, chunksize=4)


def _write_lesion(plan: LesionPlan, *, folder: Path, size: ImageSize) -> int:
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    for image_id, shot, picture in zip(plan.image_ids, plan.captures, render_images(plan, size), strict=True):
        bgr = np.asarray(cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2BGR), np.uint8)
        quality = [cv2.IMWRITE_JPEG_QUALITY, shot.camera.jpeg_quality]
        encode_image(folder / "HAM10000_images" / f"{image_id}.jpg", bgr, quality)
        encode_image(
            folder / "masks" / f"{image_id}_segmentation.png", picture.mask.astype(np.uint8) * 255, fast
        )
        if picture.structure_bits.any():
            encode_image(folder / "structures" / f"{image_id}_structures.png", picture.structure_bits, fast)
        if picture.artifact_mask.any():
            encode_image(
                folder / "artifact_masks" / f"{image_id}.png",
                picture.artifact_mask.astype(np.uint8) * 255,
                fast,
            )
    return len(plan.captures)


def encode_image(path: Path, pixels: npt.NDArray[np.uint8 | np.uint16], options: list[int]) -> None:
    """Write BGR or grey pixels in the format of the file's suffix, with options of OpenCV."""
    path.write_bytes(cv2.imencode(path.suffix, pixels, options)[1].tobytes())


def _write_tables(folder: Path, plans: list[LesionPlan]) -> None:
    rows, seen = [], []
    for entry in plans:
        who, code = entry.patient, entry.lesion.criteria.code
        for image_id, shot in zip(entry.image_ids, entry.captures, strict=True):
            rows.append(
                (
                    f"SYN_{entry.lesion_number:07d}",
                    image_id,
                    code,
                    who.confirmation,
                    who.age,
                    who.sex,
                    who.site,
                )
            )
            present = (int(name in shot.artifacts) for name in ARTIFACTS)
            seen.append((image_id, *present, entry.lesion.skin.tone))
    _write_csv(folder / "HAM10000_metadata.csv", HAM10000_COLUMNS, rows)
    _write_csv(folder / "artifacts.csv", ("image_id", *ARTIFACTS, "skin_tone"), seen)


def _write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([tuple(header), *rows])
