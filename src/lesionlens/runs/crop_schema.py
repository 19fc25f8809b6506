"""Schema of a recipe's section ``crops``."""

from pydantic import Field

from lesionlens.core.errors import RecipeError
from lesionlens.imaging.crops import RANDOM_SQUARE_CROPS, CropName, make_crop_strategy
from lesionlens.imaging.preprocessing import TTA, Aggregation
from lesionlens.runs.train_schema import MAX_SEED, ConfigSection


class TrainCropRecipe(ConfigSection):
    """Crops for training."""

    strategy: CropName = Field(
        default="full",
        description="Training crops: `full` image, `center-square`, `random-resized`, `gessert-center` (Gessert et "
        "al.: 85 % of the image), `gessert-center-336` (their code), `multi-scale` (Zhang et al.), `grid` (Gessert "
        "et al.: squares at fixed positions), `random-square` (one of that size at a random position), "
        "`grid-600x450` and `random-square-600x450` (the same of images resized to 600 × 450, whatever their aspect "
        "ratio), "
        "`attnmel-random` or `attnmel-center` (Yan 2020: 224 pixels of the central square at 256).",
    )
    count: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Number of training crops per image and epoch; `grid`: 5, 7, 9, 16, 25 or 36.",
    )
    resample: bool = Field(
        default=True,
        description="Whether random training crops are sampled again in each epoch. `false`: once per image, and the "
        "same crops are augmented in every epoch (Zhang et al. 2019).",
    )


class EvalCropRecipe(ConfigSection):
    """Crops for validation, testing and inference."""

    strategy: CropName = Field(
        default="full",
        description="Crops for validation, testing and inference; values as for `train.strategy`.",
    )
    count: int = Field(
        default=1, ge=1, le=1000, description="Number of crops per image whose scores are averaged."
    )


class CropRecipe(ConfigSection):
    """Crops for training and testing; a model that takes all crops of an image at once sets them itself."""

    train: TrainCropRecipe = TrainCropRecipe()
    test: EvalCropRecipe = EvalCropRecipe()
    tta: TTA = Field(
        default="none",
        description="Test-time augmentation of each crop: `none`, `flips` (4 orientations) or `dihedral` (all 8 "
        "orientations).",
    )
    tta_average: Aggregation = Field(
        default="probabilities",
        description="Scores that are averaged over crops and TTA views: `probabilities` or `logits`; `vote`: scores "
        "are the fractions of crops and views with the largest score for each class; ties have equal scores.",
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        le=MAX_SEED,
        description="Random seed of random crops in validation, testing and inference; null: `train.seed`, so that "
        "repeats differ in these crops too.",
    )
    roi_margin: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Margin around the bounding box of the lesion mask to which images are cropped first, as a "
        "fraction of the sides of the box; null: no such crop. Images without a mask are used uncropped and listed "
        "in `excluded.csv`.",
    )

    def for_model(self, num_crops: int | None, *, fixed_positions: bool = True) -> "CropRecipe":
        """Return the crops for a model.

        Parameters
        ----------
        num_crops
            Number of crops per image that the model takes at once; None: it takes single images.
        fixed_positions
            Whether the model learns the positions of its crops. If it only averages them, training crops may be random.

        Raises
        ------
        RecipeError
            The recipe's crops contradict the model, or a strategy does not support their number.
        """
        crops = self
        if num_crops is not None:
            random_training = self.train.strategy in RANDOM_SQUARE_CROPS and not fixed_positions
            crops = self._with_grid_crops(num_crops, random_training=random_training)
        for stage in (crops.train, crops.test):
            make_crop_strategy(stage.strategy, stage.count)
        return crops

    def _with_grid_crops(self, count: int, *, random_training: bool) -> "CropRecipe":
        """Replace defaults by grid crops; raise an error if other crops are set."""
        grid: CropName = "grid-600x450" if self.test.strategy == "grid-600x450" else "grid"
        make_crop_strategy(grid, count)
        train = self.train.model_copy(update={"strategy": grid, "count": count})
        if random_training:
            train = self.train
        required = {"train": train, "test": EvalCropRecipe(strategy=grid, count=count)}
        default, current = CropRecipe().model_dump(), self.model_dump()
        conflicts = [
            f"crops.{stage}.{key}={current[stage][key]}"
            for stage, section in required.items()
            for key, value in section
            if current[stage][key] not in {default[stage][key], value}
        ]
        if conflicts:
            raise RecipeError(
                f"the model takes {count} grid crops of each image at once, but the recipe sets "
                f"{' '.join(conflicts)}. Remove the section crops; set another number of crops in the model, for "
                "example model.kwargs.crops=16"
            )
        return self.model_copy(update=required)
