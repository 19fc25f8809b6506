"""How much of a paper's protocol is run: all of it, a small budget of the same shape, or a few steps."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lesionlens.errors import RecipeError, unknown
from lesionlens.training.network import wanted
from lesionlens.training.recipe import Recipe

Name = Literal["paper", "short", "smoke"]

OF_THE_TRUNK = {"layers", "stage"}  # options that name places of a network which another one has not
FOURTEEN = {"layers": [1, 1, 1, 1]}  # Zhang et al. 2019, Table I: one block a stage
FROM_CHANCE = "arl/"  # recipes whose mechanism needs residual blocks: their small network is the paper's own
MANY = 2  # crops of one image that a small budget sees in training


@dataclass(frozen=True)
class Profile:
    """A budget.

    Attributes
    ----------
    statement
        What it makes of the paper's protocol, for the page.
    runs
        Repeats of a recipe without folds; None: as the recipe says.
    images, size
        Of a generated data set; height and width in pixels.
    backbone, weights
        The small network that stands for every other, with the row's mechanism.
    input_size, epochs, batch_size, test_crops
        What is left of a recipe's own.
    places
        Place of a paper's network -> that of the small network: where gates stand, which maps have a prior.
    longer
        Epochs of recipes whose small network is the paper's own, from chance; 0: no such network is kept.
    """

    name: Name
    statement: str
    runs: int | None = None
    images: int = 0
    size: tuple[int, int] = (0, 0)
    backbone: str = ""
    weights: str = "none"
    input_size: int = 0
    epochs: int = 0
    batch_size: int = 0
    test_crops: int = 0
    longer: int = 0
    places: Mapping[str, str] = field(default_factory=dict)

    def words(self, name: str, recipe: Recipe) -> list[str]:
        """Give the ``key=value`` words that bring a recipe to this budget and leave what makes it its row.

        What stays: the mechanism and its options, data and task, crops and their way, augmentation, balance, loss,
        prior and folds. What goes: the network around the mechanism, its optimiser, sizes and epochs.
        """
        if self.name == "paper":
            return []
        crops, data = recipe.crops, recipe.data
        epochs = self.longer if self.longer and name.startswith(FROM_CHANCE) else self.epochs
        said = [
            *self._network(name, recipe), f"model.input_size={self.input_size}",
            f"train.epochs={epochs}", f"train.batch_size={self.batch_size}", "train.passes=1",
            "train.optimizer=adamw", "train.lr=0.001", "train.weight_decay=0.01", "train.schedule=cosine",
            "train.epsilon=1.0e-8", "train.nesterov=false", "train.patience=null", "train.precision=fp32",
        ]  # fmt: skip
        if recipe.prior.weights:
            said.append(f"prior.weights={json.dumps(self._here(recipe.prior.weights))}")
        if crops.train_count > MANY:
            said.append(f"crops.train_count={MANY}")
        if crops.test_count > self.test_crops:
            said.append(f"crops.test_count={self.test_crops}")
        if self.name == "smoke" and recipe.folds:
            said.append("fold=0")
        if data.split == "gessert2019":
            said.append("data.split=kfold")
        return said

    def repeats(self, recipe: Recipe, asked: int | None) -> int:
        """Give how often a recipe is run: as asked, else as the profile says, else as the recipe does."""
        if asked is not None:
            return asked
        if self.runs is None:
            return recipe.runs
        return 1 if recipe.folds else self.runs

    def _network(self, name: str, recipe: Recipe) -> list[str]:
        made = wanted(recipe).architecture
        options = {key: value for key, value in made.options.items() if key not in OF_THE_TRUNK}
        if options.get("taps"):
            options["taps"] = list(self._here(dict.fromkeys(options["taps"])))
        backbone, weights = self.backbone, self.weights
        if self.longer and name.startswith(FROM_CHANCE):
            backbone, weights, options = made.backbone, "none", options | FOURTEEN
        return [
            f"model.backbone={backbone}", f"model.attention={made.attention}",
            f"model.options={json.dumps(options)}", f"model.weights={weights}",
        ]  # fmt: skip

    def _here(self, named: Mapping[str, object]) -> dict[str, object]:
        """Name places as the small network does."""
        return {self.places.get(name, name): value for name, value in named.items()}


PROFILES: dict[str, Profile] = {
    "paper": Profile("paper", "The paper's protocol in full, as far as it is known."),
    "short": Profile(
        "short",
        "A small budget: MobileNet-v2 from ImageNet weights, with the row's mechanism, stands for every network (for "
        "those of Zhang et al. 2019, whose mechanism needs residual blocks, their own of fourteen layers, from "
        "chance); 96 pixels; four epochs of AdamW, from chance six. Rows that differ only in the network around the "
        "mechanism share runs.",
        runs=3,
        images=700,
        size=(192, 256),
        backbone="mobilenetv2_100",
        weights="imagenet",
        input_size=96,
        epochs=4,
        batch_size=16,
        test_crops=4,
        longer=6,
        places={"pool2": "blocks.1", "pool3": "blocks.2", "pool4": "blocks.4"},
    ),
    "smoke": Profile(
        "smoke",
        "A few steps of a tiny network, to see that all goes the whole way: the numbers mean nothing.",
        runs=1,
        images=84,
        size=(72, 96),
        backbone="test_resnet",
        input_size=48,
        epochs=1,
        batch_size=7,
        test_crops=2,
        places={"pool2": "layer1", "pool3": "layer2", "pool4": "layer3"},
    ),
}  # fmt: skip


def profile(name: str) -> Profile:
    """Look a profile up.

    Raises
    ------
    RecipeError
        There is no such profile.
    """
    if name not in PROFILES:
        raise RecipeError(unknown("profile", name, PROFILES))
    return PROFILES[name]
