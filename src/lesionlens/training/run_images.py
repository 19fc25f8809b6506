"""Images of the splits of a finished run, to compute on with its model."""

from collections.abc import Collection
from pathlib import Path

from lesionlens.core.errors import RunError
from lesionlens.inference.inputs import InferenceInputs, concatenate_inputs, inputs_from_table
from lesionlens.runs.run_dir import RunDir, read_recipe
from lesionlens.training.setup import read_task_data


def split_images(run_dir: RunDir, names: Collection[str]) -> dict[str, InferenceInputs]:
    """Return the images of each split of a run that exists among ``names``, with labels of the run's task.

    Raises
    ------
    RunError
        The run has no model, or its dataset has changed.
    """
    if not run_dir.best_model.is_dir():
        raise RunError(f"{run_dir.path} has no model yet; resume its training first")
    recipe = read_recipe(run_dir)
    data = read_task_data(recipe)
    run_dir.check_dataset(run_dir.metadata()["data"].get("fingerprint"), data.table.fingerprint())
    mask_dir = Path(recipe.data.mask_dir) if recipe.data.mask_dir else None
    return {
        name: inputs_from_table(data.table.select(members), data.task.name, mask_dir=mask_dir)
        for name, members in data.splits.splits.items()
        if name in names
    }


def unseen_images(run_dir: RunDir) -> InferenceInputs:
    """Return the images of a run that neither trained nor selected its model: calibration and test split.

    Raises
    ------
    RunError
        There are none; otherwise as `split_images`.
    """
    test_selects = read_recipe(run_dir).data.checkpoint_split == "test"
    parts = split_images(run_dir, ("calibration",) if test_selects else ("calibration", "test"))
    if not parts:
        raise RunError(f"all images of {run_dir.path} trained or selected its model; pass other images")
    return concatenate_inputs(list(parts.values()))
