"""Training budgets: the paper's full protocol, a small version of it, or a few steps."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.models.spec import ModelSpec
from lesionlens.models.zoo import ZOO
from lesionlens.runs.schema import Recipe
from lesionlens.training.resolve import resolve

ProfileName = Literal["paper", "short", "smoke"]

BACKBONE_KWARGS = {"layers", "stage", "last_relu"}  # options that refer to layers of one backbone
LAYERS_14_KWARGS = {"layers": [1, 1, 1, 1]}  # Zhang et al. 2019, Table I: one block per stage
BACKBONES_OF_14_LAYERS = {entry.backbone for entry in ZOO.values() if "layers" in entry.kwargs}
MAX_TRAIN_CROPS = 2  # crops per image that a small budget trains on


@dataclass(frozen=True)
class Profile:
    """A training budget.

    Attributes
    ----------
    name
        Name of the profile.
    summary
        Description of the changes to the paper's protocol, for the page.
    num_repeats
        Repeats of a recipe without folds; None: those of the recipe.
    num_images, image_size
        Number of images and size (height, width) in pixels of a generated dataset.
    max_images
        Number of images of a larger dataset that are used: enough of each class for ten folds; 0: all.
    backbone, weights
        Small backbone that replaces every other, and its initial weights; the row's attention stays.
    input_size, epochs, batch_size, max_test_crops
        Values that replace a recipe's own; test crops are only reduced.
    scratch_epochs
        Epochs of recipes that keep their own backbone, in fourteen layers trained from scratch; 0: they use
        ``backbone``. These are recipes of Zhang et al. 2019, whose attention needs residual blocks.
    tap_aliases
        Layer of the small backbone that replaces a layer of the paper's network, by the latter's name: positions of
        gates, and maps with a prior.
    """

    name: ProfileName
    summary: str
    num_repeats: int | None = None
    num_images: int = 0
    max_images: int = 0
    image_size: tuple[int, int] = (0, 0)
    backbone: str = ""
    weights: str = "none"
    input_size: int = 0
    epochs: int = 0
    batch_size: int = 0
    max_test_crops: int = 0
    scratch_epochs: int = 0
    tap_aliases: Mapping[str, str] = field(default_factory=dict)

    def overrides(self, recipe: Recipe) -> list[str]:
        """Return the ``key=value`` settings that reduce a recipe to this budget.

        Unchanged are attention and its options, data and task, crop strategy, augmentation, class balancing, loss,
        prior and folds. Replaced are backbone, optimizer, sizes and epochs.
        """
        if self.name == "paper":  # the papers trained in float32
            return ["train.precision=fp32"] if recipe.train.precision == "auto" else []
        crops, data, architecture = recipe.crops, recipe.data, resolve(recipe).architecture
        from_scratch = self._trains_from_scratch(recipe, architecture)
        epochs = self.scratch_epochs if from_scratch else self.epochs
        overrides = [
            *self._network_overrides(architecture, from_scratch), f"model.input_size={self.input_size}",
            f"train.epochs={epochs}", f"train.batch_size={self.batch_size}", "train.passes_per_epoch=1",
            "train.optimizer=adamw", "train.lr=0.001", "train.weight_decay=0.01", "train.lr_scheduler.name=cosine",
            "train.eps=1.0e-8", "train.epsilon_placement=torch", "train.nesterov=false",
            "train.early_stopping.patience=null", "train.precision=fp32",
        ]  # fmt: skip
        if recipe.attention_prior.weight:
            overrides.append(
                f"attention_prior.weight={json.dumps(self._rename_taps(recipe.attention_prior.weight))}"
            )
        if crops.train.count > MAX_TRAIN_CROPS:
            overrides.append(f"crops.train.count={MAX_TRAIN_CROPS}")
        if crops.test.count > self.max_test_crops:
            overrides.append(f"crops.test.count={self.max_test_crops}")
        if self.name == "smoke":
            overrides += [f"data.max_images={self.max_images}", "train.compile=off"]
            overrides += ["fold=0"] if recipe.n_folds else []
        if data.split == "gessert2019":
            overrides.append("data.split=group_kfold")
        return overrides

    def resolve_repeats(self, recipe: Recipe, requested: int | None) -> int:
        """Return the number of repeats: the requested one, else that of the profile, else that of the recipe."""
        if requested is not None:
            return requested
        if self.num_repeats is None:
            return recipe.num_repeats
        return 1 if recipe.n_folds else self.num_repeats

    def _trains_from_scratch(self, recipe: Recipe, architecture: ModelSpec) -> bool:
        """Return whether a recipe has the augmentation of Zhang et al. 2019 and a backbone of their residual blocks."""
        is_residual = architecture.backbone in BACKBONES_OF_14_LAYERS
        return self.scratch_epochs > 0 and is_residual and recipe.augment.preset == "arl"

    def _network_overrides(self, architecture: ModelSpec, from_scratch: bool) -> list[str]:
        options = {key: value for key, value in architecture.kwargs.items() if key not in BACKBONE_KWARGS}
        if options.get("taps"):
            options["taps"] = list(self._rename_taps(dict.fromkeys(options["taps"])))
        backbone, weights = self.backbone, self.weights
        if from_scratch:
            backbone, weights, options = architecture.backbone, "none", options | LAYERS_14_KWARGS
        return [
            f"model.backbone={backbone}", f"model.attention={architecture.attention}",
            f"model.kwargs={json.dumps(options)}", f"model.weights={weights}",
        ]  # fmt: skip

    def _rename_taps(self, by_tap: Mapping[str, object]) -> dict[str, object]:
        """Replace layer names of the paper's network by those of the small backbone."""
        return {self.tap_aliases.get(name, name): value for name, value in by_tap.items()}


PROFILES: dict[str, Profile] = {
    "paper": Profile("paper", "The paper's protocol in full, as far as it is known."),
    "short": Profile(
        "short",
        "A small budget: MobileNet-v2 from ImageNet weights, with the row's attention, replaces every network (those "
        "of Zhang et al. 2019, whose attention needs residual blocks, are replaced by their own of fourteen layers, "
        "trained from scratch); 96 pixels; four epochs of AdamW, six from scratch. Rows that differ only in the "
        "backbone share runs.",
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
        "A few steps of a tiny network on a sample of the images, to check that everything runs: the numbers mean "
        "nothing.",
        num_repeats=1,
        num_images=84,
        max_images=168,
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
    """Return the profile of this name.

    Raises
    ------
    RecipeError
        There is no such profile.
    """
    if name not in PROFILES:
        raise RecipeError(unknown_name_message("profile", name, PROFILES))
    return PROFILES[name]
