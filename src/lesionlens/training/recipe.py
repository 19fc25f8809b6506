"""A run as one YAML: sections of keys, unknown ones refused, each with its default."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from lesionlens.data.transforms import Augmentation
from lesionlens.training.crop_recipe import CropRecipe
from lesionlens.training.data_recipe import DataRecipe
from lesionlens.training.model_recipe import ModelRecipe
from lesionlens.training.prior_recipe import AttentionPriorRecipe
from lesionlens.training.section import ConfigSection
from lesionlens.training.train_recipe import TrainRecipe


def _shorthand(key: str) -> BeforeValidator:
    """Let a section be given as its one essential key: ``data=NAME:ROOT``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class Recipe(ConfigSection):
    """Everything that a run depends on.

    Attributes
    ----------
    num_repeats
        How often it is run, with the seeds ``train.seed`` and those that follow, each in a folder of its own.
    n_folds, fold
        How many folds a split in folds has, and the one that counts, from 0; null: each in turn, each in a folder of
        its own.
    """

    data: Annotated[DataRecipe, _shorthand("source")]
    model: Annotated[ModelRecipe, _shorthand("name")]
    crops: CropRecipe = CropRecipe()
    augment: Annotated[Augmentation, _shorthand("preset")] = Augmentation()
    attention_prior: Annotated[AttentionPriorRecipe, _shorthand("masks")] = AttentionPriorRecipe()
    train: TrainRecipe = TrainRecipe()
    num_repeats: int = Field(default=1, ge=1)
    n_folds: int | None = Field(default=None, ge=2)
    fold: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _check_consistency(self) -> "Recipe":
        if (self.model.name is None) == (self.model.backbone is None):
            raise ValueError("model: give either name (of the zoo) or backbone")
        if (self.model.mean is None) != (self.model.std is None):
            raise ValueError("model: mean and std belong together; give both, or model.normalisation")
        if self.data.val_fraction + self.data.test_fraction >= 1:
            raise ValueError("data: validation and test together leave nothing to train on")
        if self.data.val_fraction == 0 and self.data.checkpoint_split == "validation":
            raise ValueError("data.validation: 0 leaves nothing to choose a checkpoint with")
        if self.fold is not None and self.n_folds is None:
            raise ValueError(f"fold: {self.fold} of how many? Give folds too, for example folds=3")
        if self.fold is not None and self.n_folds is not None and self.fold >= self.n_folds:
            raise ValueError(f"fold: {self.fold} is none of folds={self.n_folds}; folds count from 0")
        return self
