"""What `accelerator.py` times: networks, and their steps in several ways."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from accelerator_feed import CLASSES, Feed
from limits import wait
from torch import Tensor, nn

from lesionlens.data.part import Batch
from lesionlens.models.create import create_model
from lesionlens.preprocessing import IMAGENET_MEAN, IMAGENET_STD

Ways = dict[str, Callable[[], object]]


@dataclass(frozen=True)
class Work:
    """A network and how many images it sees at once."""

    network: dict[str, Any]
    images: int
    size: int = 224

    def model(self) -> nn.Module:
        torch.manual_seed(0)
        return create_model(num_classes=CLASSES, **self.network)


NETWORKS = {
    "ResNet-50": Work({"name": "resnet50"}, 128),
    "ARL-CNN50": Work({"name": "arl_cnn50"}, 128),
    "AttnMel VGG-16": Work({"name": "attnmel_cnn_bn"}, 128),
    "9-crop DenseNet-121": Work({"name": "patch_densenet121_dual"}, 16),
}
TOY = {"backbone": "test_resnet"}
TINY = {
    "toy": Work(TOY, 2, 64),
    "toy, ARL": Work(TOY | {"attention": "arl"}, 2, 64),
    "toy, 5 crops": Work(TOY | {"attention": "patch", "crops": 5}, 2, 64),
}


class Plain:
    """float32, channels first."""

    layout, fast = torch.contiguous_format, False

    def __init__(self, work: Work, batch: Batch) -> None:
        self.batch, self.device = batch, batch.views.device.type
        self.model = work.model().to(self.device, memory_format=self.layout)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01, momentum=0.9, fused=self.fast)
        self.crops = self.model.crops
        # here, as nothing may come from the host while a CUDA graph is captured
        self.mean, self.std = (
            255 * torch.tensor(of, device=self.device) for of in (IMAGENET_MEAN, IMAGENET_STD)
        )

    def logits(self, views: Tensor) -> Tensor:
        x = ((views.flatten(0, 1).float() - self.mean) / self.std).permute(0, 3, 1, 2)
        x = x.contiguous(memory_format=self.layout)
        x = x if self.crops is None else x.reshape(*views.shape[:2], *x.shape[1:])
        # no cache of weights: a CUDA graph would keep what it held while it was captured
        with torch.autocast(self.device, torch.bfloat16, enabled=self.fast, cache_enabled=False):
            return self.model(x).logits.float()

    def train(self, batch: Batch | None = None) -> None:
        self.compute(batch or self.batch)
        wait(self.device)

    def compute(self, batch: Batch) -> None:
        loss = nn.functional.cross_entropy(self.logits(batch.views), batch.target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def infer(self) -> None:
        self.look()
        wait(self.device)

    def look(self) -> None:
        with torch.inference_mode():
            self.logits(self.batch.views)


class Fast(Plain):
    """bf16, channels last."""

    layout, fast = torch.channels_last, True

    def compiled(self) -> "Fast":
        self.model.compile(backend="inductor" if self.device == "cuda" else "eager")
        return self

    def graph(self, work: Callable[[], object]) -> Callable[[], object]:
        """Capture work after a few rounds beside the main stream, as CUDA asks."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(side)
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            work()
        return lambda: (captured.replay(), wait(self.device))


class Once:
    """Work that is prepared when it is first called, so that what cannot be prepared is found there."""

    def __init__(self, prepare: Callable[[], Callable[[], object]]) -> None:
        self._prepare, self._work = prepare, None

    def __call__(self) -> object:
        self._work = self._work or self._prepare()
        return self._work()


def training_ways(work: Work, device: str) -> Ways:
    feed = feed_of(work, device)
    batch = feed.batch()
    plain, ours, alone, compiled = (kind(work, batch) for kind in (Plain, Fast, Fast, Fast))
    for each in (plain, ours, alone, compiled):
        each.model.train()
    ways: Ways = {
        "naive": plain.train,
        "ours": lambda: ours.train(feed.batch()),
        "compute": alone.train,
        "compiled": compiled.compiled().train,
    }
    if device == "cuda":
        graphed = Fast(work, batch)
        graphed.model.train()
        ways["graph"] = Once(lambda: graphed.graph(lambda: graphed.compute(batch)))
    return ways


def inference_ways(work: Work, device: str) -> Ways:
    batch = feed_of(work, device).batch()
    plain, ours, compiled = (kind(work, batch) for kind in (Plain, Fast, Fast))
    for each in (plain, ours, compiled):
        each.model.eval()
    ways: Ways = {"naive": plain.infer, "ours": ours.infer, "compiled": compiled.compiled().infer}
    if device == "cuda":
        graphed = Fast(work, batch)
        graphed.model.eval()
        ways["graph"] = Once(lambda: graphed.graph(graphed.look))
    return ways


def feed_of(work: Work, device: str) -> Feed:
    return Feed(work.images, size=work.size, crops=work.model().crops, device=device)
