"""Predictions of several runs of one recipe: pooled over the folds of a cross-validation, or one set per repeat."""

from dataclasses import dataclass

from lesionlens.core.errors import DamagedFileError, PredictionsError, RunError
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.pooling import check_same_classes, pool_folds
from lesionlens.evaluation.predictions import Predictions
from lesionlens.runs.multi_run_dir import STATUS_FINISHED, MultiRunDir, RunSpec, expand_runs
from lesionlens.runs.run_dir import RESUME_COMMAND, RunDir, read_recipe, resume_hint
from lesionlens.runs.run_predictions import read_run_predictions

_COMMON_TEST_SPLIT = (
    "gessert2019"  # its folds divide the images for validation, and have one test split in common
)


@dataclass(frozen=True)
class RunGroup:
    """Runs of one recipe in one directory, evaluated on one split.

    Attributes
    ----------
    folder
        Directory of the runs.
    specs
        Name and recipe of each run, in order.
    split
        ``test`` or ``validation``.
    """

    folder: MultiRunDir
    specs: tuple[RunSpec, ...]
    split: str = "test"

    @property
    def is_cross_validation(self) -> bool:
        """Whether each image is in the split of exactly one fold, so that folds are pooled."""
        recipe = self.specs[0].recipe
        divided = "validation" if recipe.data.split == _COMMON_TEST_SPLIT else "test"
        return self.num_folds > 1 and self.split == divided

    @property
    def num_folds(self) -> int:
        """Number of folds that are trained; 1 if the runs have no folds, or all the same one."""
        return len({spec.recipe.fold for spec in self.specs})

    @property
    def num_repeats(self) -> int:
        """Number of runs of each fold."""
        return len(self.specs) // self.num_folds

    @property
    def repeats(self) -> dict[str, tuple[str, ...]]:
        """Names of the runs of each repeat; a single repeat has the name ""."""
        names = [spec.name for spec in self.specs]
        groups = (names[start : start + self.num_folds] for start in range(0, len(names), self.num_folds))
        return {
            group[0].rpartition("-fold-")[0] if self.num_folds > 1 else group[0]: tuple(group)
            for group in groups
        }

    @property
    def finished(self) -> tuple[str, ...]:
        """Names of the finished runs."""
        return tuple(name for name, status in self.statuses().items() if status == STATUS_FINISHED)

    def statuses(self) -> dict[str, str]:
        """Return the status of each run.

        Raises
        ------
        RunError
            The metadata of a run are damaged.
        """
        return {spec.name: self._status(spec.name) for spec in self.specs}

    def run_dir(self, name: str) -> RunDir:
        """Return the directory of a run."""
        return self.folder.run_dir(name)

    def _status(self, name: str) -> str:
        try:
            return self.folder.status(name)
        except DamagedFileError as error:
            raise RunError(
                f"{error}; or remove the folder {self.run_dir(name).path} to train this run again. "
                f"{resume_hint(RESUME_COMMAND, self.folder.path)}"
            ) from error

    def unfinished_message(self) -> str:
        """Return which runs are not finished and how to resume them; "" if all are finished."""
        listed = [
            f"{name} ({status})" for name, status in self.statuses().items() if status != STATUS_FINISHED
        ]
        hint = resume_hint(RESUME_COMMAND, self.folder.path)
        return f"not finished: {', '.join(listed)}. {hint}" if listed else ""

    def predictions(self) -> dict[str, Predictions]:
        """Read the predictions of all finished runs, by the name of the run.

        Raises
        ------
        RunError
            No run is finished, or one has no predictions.
        PredictionsError
            A file is damaged, or classes differ.
        """
        if not self.finished:
            raise RunError(f"{self.folder.path} has no finished run; {self.unfinished_message()}")
        predictions = {name: read_run_predictions(self.run_dir(name), self.split) for name in self.finished}
        check_same_classes(predictions)
        return predictions

    def pool(self, predictions: dict[str, Predictions]) -> dict[str, Predictions]:
        """Return the pooled predictions of the folds of each repeat, by the name of the repeat.

        Parameters
        ----------
        predictions
            Predictions of each run.

        Raises
        ------
        PredictionsError
            A fold is missing or not finished, or folds have images or lesions in common.
        """
        if unfinished := self.unfinished_message():
            raise PredictionsError(
                f"the folds of {self.folder.path} cannot be pooled, because all of them are required; {unfinished}"
            )
        return {
            repeat: pool_folds({name: predictions[name] for name in names})
            for repeat, names in self.repeats.items()
        }

    def describe(self) -> str:
        """Return in words which runs these are."""
        if self.is_cross_validation:
            repeated = f", repeated {self.num_repeats} times with other seeds" if self.num_repeats > 1 else ""
            return f"cross-validation with {self.num_folds} folds{repeated}"
        if self.num_folds > 1:
            return f"{pluralize(len(self.specs), 'run')} of {self.num_folds} folds, each with its own training images"
        return f"{len(self.specs)} repeats with different seeds"


def open_group(folder: MultiRunDir, split: str = "test") -> RunGroup:
    """Open the directory of several runs for the evaluation of a split.

    Raises
    ------
    RecipeError
        Its recipe cannot be read.
    """
    return RunGroup(folder, tuple(expand_runs(read_recipe(folder))), split)
