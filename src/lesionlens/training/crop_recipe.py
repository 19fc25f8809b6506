"""The section ``crops``: which parts of an image are seen, in training and in testing."""

from pydantic import Field

from lesionlens.crops.strategies import CropName, make_crop_strategy
from lesionlens.errors import RecipeError
from lesionlens.preprocessing import Aggregation, TTA
from lesionlens.training.section import ConfigSection


class CropRecipe(ConfigSection):
    """Which parts of an image: a strategy and a number for training and for test time.

    A network that takes all crops of an image at once sets them itself: they need not be given.

    Attributes
    ----------
    tta
        At test time each crop is also seen ``flips`` (4 ways) or in all eight orientations (``dihedral``).
    tta_average
        What is averaged over crops and turns: ``probabilities`` or ``logits``.
    roi_margin
        Cut each image first to the box around its lesion mask, widened by this share of its sides; null: do not.
    """

    train: CropName = "whole"
    train_count: int = Field(default=1, ge=1)
    test: CropName = "whole"
    test_count: int = Field(default=1, ge=1)
    tta: TTA = "none"
    tta_average: Aggregation = "probabilities"
    roi_margin: float | None = Field(default=None, ge=0, le=2)

    def for_model(self, num_crops: int | None, *, fixed_positions: bool = True) -> "CropRecipe":
        """Give the crops for a network that takes ``num_crops`` of each image at once, or images (None).

        Where its crops have no fixed places, because it only averages them, random ones may train it.

        Raises
        ------
        RecipeError
            The network needs other crops than were asked for, or a strategy does not give so many.
        """
        found = self if num_crops is None else self._with_grid_crops(num_crops, random_training=self.train == "random" and not fixed_positions)
        for name, count in ((found.train, found.train_count), (found.test, found.test_count)):
            make_crop_strategy(name, count)
        return found

    def _with_grid_crops(self, count: int, *, random_training: bool) -> "CropRecipe":
        """Put ordered crops in place of defaults; anything else that was asked for is a contradiction."""
        make_crop_strategy("ordered", count)
        train = ("random", self.train_count) if random_training else ("ordered", count)
        needed = {"train": train[0], "train_count": train[1], "test": "ordered", "test_count": count}
        default, asked = CropRecipe().model_dump(), self.model_dump()
        against = [
            f"crops.{key}={asked[key]}" for key in needed if asked[key] not in {default[key], needed[key]}
        ]
        if against:
            raise RecipeError(
                f"the network takes {count} ordered crops of each image at once, but the recipe says "
                f"{' '.join(against)}. Leave the crops section out; for another number of crops give it to the "
                "network, for example model.options.crops=16"
            )
        return self.model_copy(update=needed)
