"""How much of a paper's protocol is run: all of it, a small budget of the same shape, or a few steps."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.runs.schema import Recipe
from lesionlens.training.setup import resolve_model

ProfileName = Literal["paper", "short", "smoke"]

BACKBONE_KWARGS = {"layers", "stage"}  # options that name places of a network which another one has not
LAYERS_14_KWARGS = {"layers": [1, 1, 1, 1]}  # Zhang et al. 2019, Table I: one block a stage
FROM_SCRATCH_PREFIX = (
    "arl/"  # recipes whose mechanism needs residual blocks: their small network is the paper's own
)
MAX_TRAIN_CROPS = 2  # crops of one image that a small budget sees in training


@dataclass(frozen=True)
class Profile:
    """A budget.

    Attributes
    ----------
    summary
        What it makes of the paper's protocol, for the page.
    num_repeats
        Repeats of a recipe without folds; None: as the recipe says.
    num_images, image_size
        Of a generated data set; height and width in pixels.
    backbone, weights
        The small network that stands for every other, with the row's mechanism.
    input_size, epochs, batch_size, max_test_crops
        What is left of a recipe's own.
    tap_aliases
        Place of a paper's network -> that of the small network: where gates stand, which maps have a prior.
    scratch_epochs
        Epochs of recipes whose small network is the paper's own, from chance; 0: no such network is kept.
    """

    name: ProfileName
    summary: str
    num_repeats: int | None = None
    num_images: int = 0
    image_size: tuple[int, int] = (0, 0)
    backbone: str = ""
    weights: str = "none"
    input_size: int = 0
    epochs: int = 0
    batch_size: int = 0
    max_test_crops: int = 0
    scratch_epochs: int = 0
    tap_aliases: Mapping[str, str] = field(default_factory=dict)

    def overrides(self, name: str, recipe: Recipe) -> list[str]:
        """Give the ``key=value`` words that bring a recipe to this budget and leave what makes it its row.

        What stays: the mechanism and its options, data and task, crops and their way, augmentation, balance, loss,
        prior and folds. What goes: the network around the mechanism, its optimiser, sizes and epochs.
        """
        if self.name == "paper":
            return []
        crops, data = recipe.crops, recipe.data
        epochs = (
            self.scratch_epochs
            if self.scratch_epochs and name.startswith(FROM_SCRATCH_PREFIX)
            else self.epochs
        )
        said = [
            *self._network_overrides(name, recipe), f"model.input_size={self.input_size}",
            f"train.epochs={epochs}", f"train.batch_size={self.batch_size}", "train.passes_per_epoch=1",
            "train.optimizer=adamw", "train.lr=0.001", "train.weight_decay=0.01", "train.schedule=cosine",
            "train.eps=1.0e-8", "train.nesterov=false", "train.patience=null", "train.precision=fp32",
        ]  # fmt: skip
        if recipe.attention_prior.weight:
            said.append(
                f"attention_prior.weight={json.dumps(self._rename_taps(recipe.attention_prior.weight))}"
            )
        if crops.train_count > MAX_TRAIN_CROPS:
            said.append(f"crops.train_count={MAX_TRAIN_CROPS}")
        if crops.test_count > self.max_test_crops:
            said.append(f"crops.test_count={self.max_test_crops}")
        if self.name == "smoke" and recipe.n_folds:
            said.append("fold=0")
        if data.split == "gessert2019":
            said.append("data.split=group_kfold")
        return said

    def resolve_repeats(self, recipe: Recipe, requested: int | None) -> int:
        """Give how often a recipe is run: as asked, else as the profile says, else as the recipe does."""
        if requested is not None:
            return requested
        if self.num_repeats is None:
            return recipe.num_repeats
        return 1 if recipe.n_folds else self.num_repeats

    def _network_overrides(self, name: str, recipe: Recipe) -> list[str]:
        made = resolve_model(recipe).architecture
        options = {key: value for key, value in made.kwargs.items() if key not in BACKBONE_KWARGS}
        if options.get("taps"):
            options["taps"] = list(self._rename_taps(dict.fromkeys(options["taps"])))
        backbone, weights = self.backbone, self.weights
        if self.scratch_epochs and name.startswith(FROM_SCRATCH_PREFIX):
            backbone, weights, options = made.backbone, "none", options | LAYERS_14_KWARGS
        return [
            f"model.backbone={backbone}", f"model.attention={made.attention}",
            f"model.kwargs={json.dumps(options)}", f"model.weights={weights}",
        ]  # fmt: skip

    def _rename_taps(self, by_tap: Mapping[str, object]) -> dict[str, object]:
        """Name places as the small network does."""
        return {self.tap_aliases.get(name, name): value for name, value in by_tap.items()}


PROFILES: dict[str, Profile] = {
    "paper": Profile("paper", "The paper's protocol in full, as far as it is known."),
    "short": Profile(
        "short",
        "A small budget: MobileNet-v2 from ImageNet weights, with the row's mechanism, stands for every network (for "
        "those of Zhang et al. 2019, whose mechanism needs residual blocks, their own of fourteen layers, from "
        "chance); 96 pixels; four epochs of AdamW, from chance six. Rows that differ only in the network around the "
        "mechanism share runs.",
        num_repeats=3,
        num_images=700,
        image_size=(192, 256),
        backbone="mobilenetv2_100",
        weights="imagenet",
        input_size=96,
        epochs=4,
        batch_size=16,
        max_test_crops=4,
        scratch_epochs=6,
        tap_aliases={"pool2": "blocks.1", "pool3": "blocks.2", "pool4": "blocks.4"},
    ),
    "smoke": Profile(
        "smoke",
        "A few steps of a tiny network, to see that all goes the whole way: the numbers mean nothing.",
        num_repeats=1,
        num_images=84,
        image_size=(72, 96),
        backbone="test_resnet",
        input_size=48,
        epochs=1,
        batch_size=7,
        max_test_crops=2,
        tap_aliases={"pool2": "layer1", "pool3": "layer2", "pool4": "layer3"},
    ),
}  # fmt: skip


def get_profile(name: str) -> Profile:
    """Look a profile up.

    Raises
    ------
    RecipeError
        There is no such profile.
    """
    if name not in PROFILES:
        raise RecipeError(unknown_name_message("profile", name, PROFILES))
    return PROFILES[name]
