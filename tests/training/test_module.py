"""Training and validation steps of models of images and of models that take all crops of an image."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesionlens.data.dataset import Batch
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.base import Classifier, Features
from lesionlens.models.factory import create_model
from lesionlens.runs.train_schema import TrainRecipe
from lesionlens.training.module import ClassificationModule, attention_scales, make_optimizer

UNSCALED = Preprocessing(input_size=(4, 4), mean=(0, 0, 0), std=(1, 1, 1))


class CropsModel(Classifier):
    """Classifies images by the mean color of their five crops."""

    num_crops = 5

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.num_features = nn.Linear(3, 2), 3
        self.input_shapes: list[tuple[int, ...]] = []

    def forward_features(self, x: Tensor, *, maps: bool = False) -> Features:
        self.input_shapes.append(tuple(x.shape))
        return Features(feature_map=x, maps={})

    def pool(self, features: Features) -> Tensor:
        return features.feature_map.mean(dim=(1, 3, 4))

    def compute_logits(self, pooled: Tensor) -> Tensor:
        return self.backbone(pooled)


class ImagesModel(CropsModel):
    """Classifies images by their mean color."""

    num_crops = None  # type: ignore[assignment]

    def pool(self, features: Features) -> Tensor:
        return features.feature_map.mean(dim=(2, 3))


def make_module(
    model: Classifier, monkeypatch: pytest.MonkeyPatch
) -> tuple[ClassificationModule, dict[str, Any]]:
    """Return a module without a trainer, and a dictionary of its logged values."""
    module, logged = ClassificationModule(model, TrainRecipe(), UNSCALED), {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: value}))
    return module, logged


def batch(n: int) -> Batch:
    views = torch.randint(0, 256, (2, n, 4, 4, 3), dtype=torch.uint8, generator=torch.manual_seed(0))
    nothing = torch.zeros(2, n, 0, 0, dtype=torch.uint8)
    return Batch(views, torch.tensor([1, 0]), torch.ones(2), nothing, torch.zeros(2, dtype=torch.bool))


def mean_colors(batch: Batch) -> Tensor:
    """Return the mean color of each crop, (b, n, 3)."""
    return (batch.crops.double() / 255).mean(dim=(2, 3)).float()


def test_all_crops_of_an_image_are_one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CropsModel()
    module, logged = make_module(model, monkeypatch)
    loss = module.training_step(batch(5), 0)
    assert model.input_shapes == [(2, 5, 3, 4, 4)]
    logits = model.backbone(mean_colors(batch(5)).mean(dim=1))
    torch.testing.assert_close(loss, nn.functional.cross_entropy(logits, torch.tensor([1, 0])))
    assert logged == {"train_loss": loss}


def test_model_of_images_takes_single_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ImagesModel()
    module, _ = make_module(model, monkeypatch)
    loss = module.training_step(batch(1), 0)
    assert model.input_shapes == [(2, 3, 4, 4)]
    logits = model.backbone(mean_colors(batch(1))[:, 0])
    torch.testing.assert_close(loss, nn.functional.cross_entropy(logits, torch.tensor([1, 0])))


@pytest.mark.parametrize("model", [ImagesModel(), CropsModel()], ids=["images", "crops"])
def test_mixup_averages_images_and_losses(model: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ClassificationModule(model, TrainRecipe(mixup=0.4), UNSCALED)
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    images = batch(model.num_crops or 1)
    images = images._replace(sample_weight=torch.tensor([1.0, 3.0]))
    torch.manual_seed(3)
    loss = module.training_step(images, 0)
    torch.manual_seed(3)
    fraction = torch.distributions.Beta(0.4, 0.4).sample()
    partner = torch.randperm(2)
    assert 0 < fraction < 1
    assert partner.tolist() == [1, 0]
    colors = mean_colors(images).mean(dim=1)
    logits = model.backbone(fraction * colors + (1 - fraction) * colors[partner])
    losses = [
        nn.functional.cross_entropy(logits, images.target[order], reduction="none")
        for order in ([0, 1], [1, 0])
    ]
    weights = images.sample_weight
    expected = [
        (weights[order] * values).sum() / 4 for order, values in zip(([0, 1], [1, 0]), losses, strict=True)
    ]
    torch.testing.assert_close(loss, fraction * expected[0] + (1 - fraction) * expected[1])


def test_validation_scores_images_not_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    for model in (CropsModel(), ImagesModel()):
        module, logged = make_module(model, monkeypatch)
        with torch.no_grad():
            module.validation_step(batch(5), 0)
            module.on_validation_epoch_end()
            colors = mean_colors(batch(5))
            scores = (
                model.backbone(colors.mean(dim=1)).softmax(dim=1)
                if model.num_crops
                else model.backbone(colors).softmax(dim=2).mean(dim=1)
            )
        expected = -(scores[0, 1].log() + scores[1, 0].log()) / 2
        torch.testing.assert_close(logged["val_loss"], expected)


class Gated(Classifier):
    """Model of crops with two attention scales: one in its backbone, one of its own."""

    attention_scales = ("inner.backbone.layer1.alpha", "soft.attention.gamma")

    def __init__(self) -> None:
        super().__init__()
        for path in ("inner", "inner.backbone", "inner.backbone.layer1", "soft", "soft.attention"):
            outer, _, name = path.rpartition(".")
            self.get_submodule(outer).add_module(name, nn.Module())
        self.get_submodule("inner.backbone.layer1").register_parameter(
            "alpha", nn.Parameter(torch.tensor(0.25))
        )
        self.get_submodule("soft.attention").register_parameter("gamma", nn.Parameter(torch.tensor(0.5)))


def test_attention_scales_are_named_by_layer() -> None:
    scales = {name: float(value) for name, value in attention_scales(Gated()).items()}
    assert scales == {"alpha/layer1": 0.25, "gamma/soft.attention": 0.5}


@pytest.mark.parametrize(
    ("settings", "make_reference"),
    [
        (
            {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
            lambda p: torch.optim.SGD(p, 0.01, 0.9, nesterov=True, weight_decay=0.1, foreach=False),
        ),
        (
            {"optimizer": "adam", "eps": 1e-3},
            lambda p: torch.optim.Adam(p, 0.01, eps=1e-3, weight_decay=0.1, foreach=False),
        ),
        ({"optimizer": "adamw"}, lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1, foreach=False)),
    ],
)
def test_fused_optimizers_match_unfused_ones(
    settings: dict[str, Any], make_reference: Callable[[Any], torch.optim.Optimizer]
) -> None:
    """Gradients are equal, and in the channels-last memory format of the weights."""
    ours, theirs = (create_model(num_classes=2, backbone="test_resnet") for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    model = ours.to(memory_format=torch.channels_last)
    recipe = TrainRecipe.model_validate(settings | {"lr": 0.01, "weight_decay": 0.1})
    optimizer, reference = make_optimizer(model, recipe), make_reference(theirs.parameters())
    assert all(group["fused"] for group in optimizer.param_groups)
    for number in range(3):
        x = torch.rand(4, 3, 32, 32, generator=torch.manual_seed(number))
        optimizer.zero_grad()
        model(x.to(memory_format=torch.channels_last)).logits.square().sum().backward()
        for parameter, expected in zip(model.parameters(), theirs.parameters(), strict=True):
            expected.grad = parameter.grad.contiguous()
        optimizer.step()
        reference.step()
    for (name, parameter), expected in zip(model.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(parameter.contiguous(), expected, rtol=1e-5, atol=1e-7, msg=name)


def test_optimizer_state_of_unfused_runs_is_restored() -> None:
    """The loaded state determines the implementation of a step."""

    def stepped(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> None:
        parameter.grad = torch.linspace(-1, 1, 1000)
        optimizer.step()

    recipe = TrainRecipe.model_validate({"optimizer": "adamw", "lr": 0.01})
    begun, resumed = CropsModel(), CropsModel()
    for model in (begun, resumed):
        model.backbone = nn.Linear(1, 1, bias=False)
        model.backbone.weight = nn.Parameter(torch.linspace(0, 1, 1000))
    unfused = torch.optim.AdamW([{"params": begun.parameters()}], 0.01, weight_decay=0.0)
    stepped(unfused, begun.backbone.weight)
    resumed.load_state_dict(begun.state_dict())
    optimizer = make_optimizer(resumed, recipe)
    optimizer.load_state_dict(deepcopy(unfused.state_dict()))
    for _ in range(3):
        stepped(unfused, begun.backbone.weight)
        stepped(optimizer, resumed.backbone.weight)
    assert torch.equal(begun.backbone.weight, resumed.backbone.weight)


def keras_adam(
    start: NDArray[np.float64], gradients: NDArray[np.float64], *, lr: float, epsilon: float, decay: float
) -> NDArray[np.float64]:
    """Compute the parameters after Keras' Adam in float64, with the weight decay of PyTorch's Adam."""
    parameters, mean, variance = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for t, gradient in enumerate(gradients, start=1):
        gradient = gradient + decay * parameters
        mean += (gradient - mean) * (1 - 0.9)
        variance += (gradient**2 - variance) * (1 - 0.999)
        alpha = lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        parameters -= mean * alpha / (np.sqrt(variance) + epsilon)
    return parameters


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_fifty_steps_of_adam_with_the_epsilon_of_keras(decay: float) -> None:
    """The second half is that of a resumed run; PyTorch's own placement is far off."""
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=300), 0.02 * rng.normal(size=(50, 300)) + 0.01
    settings = {"optimizer": "adam", "lr": 0.01, "eps": 0.1, "weight_decay": decay}

    def train(placement: str) -> NDArray[np.float64]:
        recipe = TrainRecipe.model_validate(settings | {"epsilon_placement": placement})
        state = None
        for half in (gradients[:25], gradients[25:]):
            model = CropsModel()
            model.backbone = nn.Linear(100, 3, bias=False)
            optimizer = make_optimizer(model, recipe)
            weight = model.backbone.weight
            weight.data = torch.tensor(start if state is None else state[0], dtype=torch.float32).view(3, 100)
            if state is not None:
                optimizer.load_state_dict(deepcopy(state[1]))
            for gradient in half:
                weight.grad = torch.tensor(gradient, dtype=torch.float32).view(3, 100)
                optimizer.step()
            state = (weight.detach().flatten().double().numpy(), optimizer.state_dict())
        assert state is not None
        return state[0]

    expected = keras_adam(start, gradients, lr=0.01, epsilon=0.1, decay=decay)
    np.testing.assert_allclose(train("keras"), expected, rtol=1e-5, atol=1e-6)
    assert np.abs(train("torch") - expected).max() > 0.01
