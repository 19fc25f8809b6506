"""Effect of random test crops: trained models, evaluated with many draws of the test crops of every image."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.core.errors import DataError, RunError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import Scope
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions
from lesionlens.imaging.crops import RANDOM_CROPS
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import InferenceInputs, inputs_from_table
from lesionlens.models.saved_model import load_saved_model
from lesionlens.runs.run_dir import RunDir, read_recipe
from lesionlens.runs.run_predictions import find_predictions
from lesionlens.runs.schema import Recipe
from lesionlens.runs.variance_components import VarianceComponents, variance_components
from lesionlens.training.setup import read_task_data

SCOPE_COLUMNS = ["metric", "class", "aggregate"]


@dataclass(frozen=True)
class CropDraws:
    """Draws of the random test crops of a run, whose predictions are saved in the folder of the run.

    Attributes
    ----------
    run_dir
        Finished run.
    num_draws
        Number of draws.
    split
        ``test`` or ``validation``.
    per_image
        Whether the crops of every image are sampled independently. Otherwise all images of one size have crops at the
        same positions, as in the evaluation of a run.
    device
        Device of the model.
    on_progress
        Called with the number of finished draws after each.
    """

    run_dir: RunDir
    num_draws: int
    split: str = "test"
    per_image: bool = False
    device: str = "auto"
    on_progress: Callable[[int], None] = field(default=lambda _: None)

    def predictions(self) -> Iterator[Predictions]:
        """Return the predictions of each draw, from their file if they were saved before.

        Raises
        ------
        RunError
            The run is not finished, or its test crops are not random.
        DataError
            The images of the split are not those of the run.
        """
        files = [self._file(draw) for draw in range(self.num_draws)]
        recipe = read_recipe(self.run_dir)
        self._check_random(recipe)
        missing = [draw for draw, file in enumerate(files) if not file.is_file()]
        if missing:
            inputs = self._inputs(recipe)
            loaded = load_saved_model(self.run_dir.best_model, device=self.device)
            engine = open_engine(loaded, "torch", num_images=len(inputs.image))
        for draw, file in enumerate(files):
            if draw in missing:
                seeds = self._seeds(recipe, draw, inputs.image_id)
                write_predictions(
                    file, run_inference(engine, loaded.card, inputs, crop_seeds=seeds).predictions
                )
            self.on_progress(draw + 1)
            yield read_predictions(file)

    def values(self) -> pd.DataFrame:
        """Return one row per metric and scope, and one column per draw.

        Of the columns ``class`` and ``aggregate``, one is empty in each row.
        """
        draws = [evaluate(predictions, n_resamples=0) for predictions in self.predictions()]
        rows = []
        for estimate in draws[0].estimates:
            scope = estimate.scope
            names = (scope, "") if isinstance(scope, str) else ("", str(scope))
            rows.append((estimate.metric, *names, *(draw.value(estimate.metric, scope) for draw in draws)))
        return pd.DataFrame(rows, columns=[*SCOPE_COLUMNS, *map(str, range(self.num_draws))])

    def metric_values(self, metric: str, scope: Scope) -> NDArray[np.float64]:
        """Return the value of a metric in each draw, (num_draws,)."""
        draws = self.predictions()
        return np.array([evaluate(draw, n_resamples=0).value(metric, scope) for draw in draws])

    def _file(self, draw: int) -> Path:
        kind = "per_image" if self.per_image else "common"
        return self.run_dir.path / "crop_draws" / kind / f"{self.split}-{draw:03d}.csv"

    def _check_random(self, recipe: Recipe) -> None:
        strategy = recipe.crops.test.strategy
        if strategy not in RANDOM_CROPS:
            raise RunError(
                f"the test crops of {self.run_dir.path} are not random (crops.test.strategy={strategy}), so that all "
                f"draws would be equal; random are {', '.join(sorted(RANDOM_CROPS))}"
            )

    def _inputs(self, recipe: Recipe) -> InferenceInputs:
        """Return the images of the split, which must be those that the run was evaluated on."""
        saved = read_predictions(find_predictions(self.run_dir, self.split))
        data = read_task_data(recipe)
        mask_dir = Path(recipe.data.mask_dir) if recipe.data.mask_dir else None
        table = data.table.select(data.splits.splits.get(self.split, ()))
        if not set(saved.image_id) <= set(table.frame["image_id"]):
            raise DataError(
                f"the {self.split} images of {self.run_dir.path} are not those of {recipe.data.source} now; restore "
                "the dataset, or train a new run"
            )
        return inputs_from_table(table.select(saved.image_id), data.task.name, mask_dir=mask_dir)

    def _seeds(self, recipe: Recipe, draw: int, image_ids: tuple[str, ...]) -> list[int]:
        """Return the random seed of each image's crops in a draw, different for all runs of a group."""
        run = (recipe.train.seed, recipe.fold or 0, draw)
        keys = [(*run, *image_id.encode()) if self.per_image else run for image_id in image_ids]
        seeds = {key: int(np.random.SeedSequence(key).generate_state(1)[0]) for key in set(keys)}
        return [seeds[key] for key in keys]


def summarize_crop_draws(values: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the variance components of each metric: within a run, over its draws, and between runs.

    Parameters
    ----------
    values
        Values of each run by its name, see `CropDraws.values`.
    """
    first, *others = (table.set_index(SCOPE_COLUMNS) for table in values.values())
    rows = []
    for key in first.index:
        runs = [table.loc[key].to_numpy(dtype=float) for table in (first, *others) if key in table.index]
        rows.append((*key, *variance_components(np.stack(runs))))
    return pd.DataFrame(rows, columns=[*SCOPE_COLUMNS, *VarianceComponents._fields])
