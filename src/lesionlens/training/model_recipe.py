"""The section ``model``: which network, and how its input is scaled."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from lesionlens.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from lesionlens.training.section import ConfigSection

InputSize = tuple[int, int]
RGBValues = tuple[float, float, float]
InputNormalization = Literal["imagenet", "dataset", "none", "symmetric"]

INPUT_NORMALIZATIONS: dict[InputNormalization, tuple[RGBValues, RGBValues]] = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "none": ((0, 0, 0), (1, 1, 1)),  # values from 0 to 1
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # values from -1 to 1
}


class ModelRecipe(ConfigSection):
    """Which network: ``name`` of the zoo, or ``backbone`` and ``attention``.

    Attributes
    ----------
    weights
        ``none``, ``imagenet`` (from the hub) or the path of a file.
    kwargs
        Of the mechanism and of the timm model, for example ``{pad_type: same}``.
    input_size
        Height and width in pixels, or one number; null: what the name of the zoo has, else 224.
    normalization
        ``imagenet``, ``dataset`` (measured on the training images), ``none`` (values from 0 to 1) or ``symmetric``
        (-1 to 1).
    mean, std
        Of the input's channels, on values from 0 to 1, in place of ``normalization``; give both.
    """

    name: str | None = None
    backbone: str | None = None
    attention: str | None = None
    weights: str = "none"
    kwargs: dict[str, Any] = Field(default_factory=dict)
    input_size: Annotated[InputSize | None, BeforeValidator(lambda v: (v, v) if isinstance(v, int) else v)] = None
    normalization: InputNormalization = "imagenet"
    mean: RGBValues | None = None
    std: RGBValues | None = None

    def mean_and_std(self) -> tuple[RGBValues, RGBValues] | None:
        """Give mean and standard deviation; None where they are to be measured."""
        if self.mean is not None and self.std is not None:
            return self.mean, self.std
        return INPUT_NORMALIZATIONS.get(self.normalization)
