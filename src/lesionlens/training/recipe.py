"""A run as one YAML: sections of keys, unknown ones refused, each with its default."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from lesionlens.data.transforms import Augmentation
from lesionlens.training.crop_recipe import CropRecipe
from lesionlens.training.data_recipe import DataRecipe
from lesionlens.training.model_recipe import ModelRecipe
from lesionlens.training.prior_recipe import PriorRecipe
from lesionlens.training.section import Section
from lesionlens.training.train_recipe import TrainRecipe


def _short(key: str) -> BeforeValidator:
    """Let a section be given as its one essential key: ``data=NAME:ROOT``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class Recipe(Section):
    """Everything that a run depends on.

    Attributes
    ----------
    runs
        How often it is run, with the seeds ``train.seed`` and those that follow, each in a folder of its own.
    folds, fold
        How many folds a split in folds has, and the one that counts, from 0; null: each in turn, each in a folder of
        its own.
    """

    data: Annotated[DataRecipe, _short("source")]
    model: Annotated[ModelRecipe, _short("name")]
    crops: CropRecipe = CropRecipe()
    augment: Annotated[Augmentation, _short("preset")] = Augmentation()
    prior: Annotated[PriorRecipe, _short("masks")] = PriorRecipe()
    train: TrainRecipe = TrainRecipe()
    runs: int = Field(default=1, ge=1)
    folds: int | None = Field(default=None, ge=2)
    fold: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _sensible(self) -> "Recipe":
        if (self.model.name is None) == (self.model.backbone is None):
            raise ValueError("model: give either name (of the zoo) or backbone")
        if (self.model.mean is None) != (self.model.std is None):
            raise ValueError("model: mean and std belong together; give both, or model.normalisation")
        if self.data.validation + self.data.test >= 1:
            raise ValueError("data: validation and test together leave nothing to train on")
        if self.data.validation == 0 and self.data.select_on == "validation":
            raise ValueError("data.validation: 0 leaves nothing to choose a checkpoint with")
        if self.fold is not None and self.folds is None:
            raise ValueError(f"fold: {self.fold} of how many? Give folds too, for example folds=3")
        if self.fold is not None and self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold: {self.fold} is none of folds={self.folds}; folds count from 0")
        return self
