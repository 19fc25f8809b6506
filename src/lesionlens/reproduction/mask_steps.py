"""Steps of a plan that make lesion masks: the training of a segmentation model, and the prediction of masks."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from lesionlens.core.console import print_warning, progress_bar
from lesionlens.core.errors import DataError
from lesionlens.datasets.image_sample import sample_images
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.registry import load_table
from lesionlens.reproduction.machine_paths import machine_independent
from lesionlens.reproduction.profiles import Profile
from lesionlens.reproduction.segmenter_spec import SegmenterSpec
from lesionlens.runs.multi_run_dir import STATUS_FINISHED
from lesionlens.runs.run_dir import RunDir
from lesionlens.segmentation.config import SegmentationConfig
from lesionlens.segmentation.predict import segment_images
from lesionlens.segmentation.train import resume_segmentation, train_segmentation

# what a small budget replaces in the protocol of a segmentation model
_SMALL_BUDGETS: Mapping[str, dict[str, Any]] = {
    "short": {"width": 16, "input_size": (96, 128), "epochs": 8, "batch_size": 8},
    "smoke": {"width": 8, "input_size": (64, 96), "epochs": 6, "batch_size": 4, "lr": 1e-3},
}
_SMALL_ENCODER = "test_resnet"
_MACHINE_KEYS = {"device", "num_workers", "within_root"}


@dataclass(frozen=True)
class SegmenterStep:
    """Training of a segmentation model.

    Attributes
    ----------
    key
        Name of the run's directory: network, dataset, and a digest of everything that determines the result.
    source
        Data source with masks, ``NAME:ROOT``; "" if the user has to specify it.
    config
        Settings of the training.
    dataset
        Name of the dataset.
    """

    key: str
    source: str
    config: SegmentationConfig
    dataset: str

    @property
    def requires(self) -> None:
        """No step has to be finished before."""

    @property
    def title(self) -> str:
        """Description of the step in a plan."""
        network = " ".join(filter(None, (self.config.arch, self.config.encoder)))
        return f"train {network} on masks of {self.dataset}"

    def run_dir(self, out: Path) -> RunDir:
        """Return the run's directory inside the folder of a reproduction."""
        return RunDir(out / "segmentation" / self.key)

    def is_finished(self, out: Path) -> bool:
        """Return whether the model is trained."""
        return self._is_started(out) and self.run_dir(out).status() == STATUS_FINISHED

    def _is_started(self, out: Path) -> bool:
        folder = self.run_dir(out)
        return (folder.path / folder.METADATA_FILE).is_file()

    def check_source(self) -> None:
        """Raise an error if there is no dataset to train on.

        Raises
        ------
        DataError
            The user has to specify the dataset.
        """
        if not self.source:
            raise DataError(
                f"its masks are predictions of {self.config.arch}, which is trained on {self.dataset}: pass --dataset "
                f"{self.dataset}:FOLDER, or your own masks with data.mask_dir=FOLDER"
            )

    def execute(self, out: Path, console: Console) -> None:
        """Train the model, or resume its training.

        Raises
        ------
        LesionLensError
            The dataset, the network or the folder cannot be used.
        """
        self.check_source()
        folder = self.run_dir(out)
        if self._is_started(out):
            resume_segmentation(folder.path, console=console)
            return
        if folder.path.exists():  # killed before there was anything to resume
            shutil.rmtree(folder.path)
        train_segmentation([self.source], self.config, out=folder.path, console=console)


@dataclass(frozen=True)
class MaskStep:
    """Prediction of the lesion masks of a dataset.

    Attributes
    ----------
    key
        Name of the folder of masks.
    requires
        Training of the model.
    source
        Data source of the images, ``NAME:ROOT``.
    max_images
        Number of images of a larger dataset that are used; 0: all.
    """

    key: str
    requires: SegmenterStep
    source: str
    max_images: int

    @property
    def title(self) -> str:
        """Description of the step in a plan."""
        return f"predict masks of {self.source.partition(':')[0]}"

    def folder(self, out: Path) -> Path:
        """Return the folder of masks inside the folder of a reproduction; it exists only if it is complete."""
        return (out / "masks" / self.key).absolute()

    def is_finished(self, out: Path) -> bool:
        """Return whether all masks are predicted."""
        return self.folder(out).is_dir()

    def execute(self, out: Path, console: Console) -> None:
        """Predict the masks that are missing.

        Raises
        ------
        LesionLensError
            The model, the images or the folder cannot be used.
        """
        folder = self.folder(out)
        partial = folder.with_name(f".{folder.name}.partial")
        with progress_bar(console, unit="images") as progress:
            line = progress.add_task("predicting masks", total=None)
            result = segment_images(
                self.requires.run_dir(out).path,
                self.images(),
                partial,
                device=self.requires.config.device,
                on_progress=lambda done, total: progress.update(line, completed=done, total=total),
            )
        if result.failures:
            print_warning(
                console, f"no mask of {pluralize(len(result.failures), 'image')}: {result.failures[0]}"
            )
        partial.rename(folder)

    def images(self) -> list[Path]:
        """Return the images that need masks.

        Raises
        ------
        DataError
            The source cannot be read.
        """
        table = load_table(self.source)
        return list((sample_images(table, self.max_images) if self.max_images else table).paths)


def plan_masks(
    spec: SegmenterSpec, source: str, training_source: str, profile: Profile, out: Path, *, device: str
) -> MaskStep:
    """Return the step that predicts the masks of a dataset, which requires the training of the model.

    Parameters
    ----------
    spec
        Protocol of the segmentation model; ``profile`` reduces it.
    source
        Data source of the images that need masks, ``NAME:ROOT``.
    training_source
        Data source with masks, ``NAME:ROOT``; "" if the user has not specified it.
    out
        Folder of the reproduction.
    device
        ``auto``, ``cpu`` or ``gpu``.
    """
    config = _config(spec, profile, device)
    tree = {key: value for key, value in config.model_dump(mode="json").items() if key not in _MACHINE_KEYS}
    trained_on = machine_independent(training_source or f"{spec.dataset}:", out)
    network = [config.arch, *([config.encoder] if config.encoder else []), spec.dataset]
    segmenter = SegmenterStep(
        "-".join([*network, _digest(tree, trained_on)]), training_source, config, spec.dataset
    )
    digest = _digest(segmenter.key, machine_independent(source, out), profile.max_images)
    return MaskStep(f"{source.partition(':')[0]}-{digest}", segmenter, source, profile.max_images)


def _config(spec: SegmenterSpec, profile: Profile, device: str) -> SegmentationConfig:
    """Return the settings of the training, in the budget of a profile."""
    values: dict[str, Any] = spec.model_dump(exclude={"dataset"})
    if profile.name in _SMALL_BUDGETS:
        encoder = _SMALL_ENCODER if spec.encoder else ""
        values |= {"encoder": encoder, "weights": "none", "max_images": profile.max_images or None}
        values |= _SMALL_BUDGETS[profile.name]
    return SegmentationConfig(**values, device=device)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
