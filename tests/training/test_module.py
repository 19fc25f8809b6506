"""One step of networks of images and of networks that take all crops of an image."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lesionlens.data.dataset import Batch
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.base import Classifier, Features
from lesionlens.models.factory import create_model
from lesionlens.runs.train_schema import TrainRecipe
from lesionlens.training.module import ClassificationModule, make_optimizer

UNSCALED = Preprocessing(input_size=(4, 4), mean=(0, 0, 0), std=(1, 1, 1))


class Bags(Classifier):
    """Scores images by the mean colour of all their five crops."""

    num_crops = 5

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.num_features = nn.Linear(3, 2), 3
        self.came: list[tuple[int, ...]] = []

    def forward_features(self, x: Tensor, *, maps: bool = False) -> Features:
        self.came.append(tuple(x.shape))
        return Features(feature_map=x, maps={})

    def pool(self, features: Features) -> Tensor:
        return features.feature_map.mean(dim=(1, 3, 4))

    def compute_logits(self, pooled: Tensor) -> Tensor:
        return self.backbone(pooled)


class Images(Bags):
    """Scores images by their mean colour."""

    num_crops = None  # type: ignore[assignment]

    def pool(self, features: Features) -> Tensor:
        return features.feature_map.mean(dim=(2, 3))


def task_of(
    model: Classifier, monkeypatch: pytest.MonkeyPatch
) -> tuple[ClassificationModule, dict[str, Any]]:
    """Give a task without a trainer, and where its numbers go."""
    task, logged = ClassificationModule(model, TrainRecipe(), UNSCALED), {}
    monkeypatch.setattr(task, "log", lambda name, value, **_: logged.update({name: value}))
    return task, logged


def batch(n: int) -> Batch:
    views = torch.randint(0, 256, (2, n, 4, 4, 3), dtype=torch.uint8, generator=torch.manual_seed(0))
    nothing = torch.zeros(2, n, 0, 0, dtype=torch.uint8)
    return Batch(views, torch.tensor([1, 0]), torch.ones(2), nothing, torch.zeros(2, dtype=torch.bool))


def colours(given: Batch) -> Tensor:
    """Give the mean colour of each crop, (b, n, 3)."""
    return (given.crops.double() / 255).mean(dim=(2, 3)).float()


def test_all_crops_of_an_image_are_one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Bags()
    task, logged = task_of(model, monkeypatch)
    loss = task.training_step(batch(5), 0)
    assert model.came == [(2, 5, 3, 4, 4)]
    logits = model.backbone(colours(batch(5)).mean(dim=1))
    torch.testing.assert_close(loss, nn.functional.cross_entropy(logits, torch.tensor([1, 0])))
    assert logged == {"train_loss": loss}


def test_a_network_of_images_takes_the_single_crop_of_a_visit(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Images()
    task, _ = task_of(model, monkeypatch)
    loss = task.training_step(batch(1), 0)
    assert model.came == [(2, 3, 4, 4)]
    logits = model.backbone(colours(batch(1))[:, 0])
    torch.testing.assert_close(loss, nn.functional.cross_entropy(logits, torch.tensor([1, 0])))


def test_validation_scores_images_not_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    for model in (Bags(), Images()):
        task, logged = task_of(model, monkeypatch)
        with torch.no_grad():
            task.validation_step(batch(5), 0)
            task.on_validation_epoch_end()
            seen = colours(batch(5))
            scores = (
                model.backbone(seen.mean(dim=1)).softmax(dim=1)
                if model.num_crops
                else model.backbone(seen).softmax(dim=2).mean(dim=1)
            )
        expected = -(scores[0, 1].log() + scores[1, 0].log()) / 2
        torch.testing.assert_close(logged["val_loss"], expected)


@pytest.mark.parametrize(
    ("said", "plainly"),
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
def test_one_pass_over_memory_steps_as_one_operation_after_another(
    said: dict[str, Any], plainly: Callable[[Any], torch.optim.Optimizer]
) -> None:
    """Given the same gradients, which lie in channels-last memory as the weights of convolutions do."""
    ours, theirs = (create_model(num_classes=2, backbone="test_resnet") for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    model = ours.to(memory_format=torch.channels_last)
    recipe = TrainRecipe.model_validate(said | {"lr": 0.01, "weight_decay": 0.1})
    optimizer, plain = make_optimizer(model, recipe), plainly(theirs.parameters())
    assert all(group["fused"] for group in optimizer.param_groups)
    for number in range(3):
        x = torch.rand(4, 3, 32, 32, generator=torch.manual_seed(number))
        optimizer.zero_grad()
        model(x.to(memory_format=torch.channels_last)).logits.square().sum().backward()
        for mine, other in zip(model.parameters(), theirs.parameters(), strict=True):
            other.grad = mine.grad.contiguous()
        optimizer.step()
        plain.step()
    for (name, mine), other in zip(model.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.contiguous(), other, rtol=1e-5, atol=1e-7, msg=name)


def test_a_run_that_was_begun_without_goes_on_as_it_began() -> None:
    """The state of its optimiser says how it steps."""

    def stepped(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> None:
        parameter.grad = torch.linspace(-1, 1, 1000)
        optimizer.step()

    recipe = TrainRecipe.model_validate({"optimizer": "adamw", "lr": 0.01})
    begun, resumed = Bags(), Bags()
    for bags in (begun, resumed):
        bags.backbone = nn.Linear(1, 1, bias=False)
        bags.backbone.weight = nn.Parameter(torch.linspace(0, 1, 1000))
    plain = torch.optim.AdamW([{"params": begun.parameters()}], 0.01, weight_decay=0.0)
    stepped(plain, begun.backbone.weight)
    resumed.load_state_dict(begun.state_dict())
    optimizer = make_optimizer(resumed, recipe)
    optimizer.load_state_dict(deepcopy(plain.state_dict()))
    for _ in range(3):
        stepped(plain, begun.backbone.weight)
        stepped(optimizer, resumed.backbone.weight)
    assert torch.equal(begun.backbone.weight, resumed.backbone.weight)
