"""Networks and step variants timed by `gpu.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from gpu_loader import NUM_CLASSES, BatchFeed
from roofline import synchronize
from torch import Tensor, nn

from lesionlens.data.dataset import Batch
from lesionlens.imaging.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from lesionlens.models.factory import create_model

Variants = dict[str, Callable[[], object]]


@dataclass(frozen=True)
class Workload:
    """A network and its batch size."""

    network: dict[str, Any]
    batch_size: int
    size: int = 224

    def model(self) -> nn.Module:
        torch.manual_seed(0)
        return create_model(num_classes=NUM_CLASSES, **self.network)


NETWORKS = {
    "ResNet-50": Workload({"name": "resnet50"}, 128),
    "ARL-CNN50": Workload({"name": "arl_cnn50"}, 128),
    "AttnMel VGG-16": Workload({"name": "attnmel_cnn_bn"}, 128),
    "9-crop DenseNet-121": Workload({"name": "patch_densenet121_dual"}, 16),
}
TOY_KWARGS = {"backbone": "test_resnet"}
SMOKE_NETWORKS = {
    "toy": Workload(TOY_KWARGS, 2, 64),
    "toy, ARL": Workload(TOY_KWARGS | {"attention": "arl"}, 2, 64),
    "toy, 5 crops": Workload(TOY_KWARGS | {"attention": "patch", "crops": 5}, 2, 64),
}


class BaselineRunner:
    """float32, channels first."""

    layout, optimized = torch.contiguous_format, False

    def __init__(self, workload: Workload, batch: Batch) -> None:
        self.batch, self.device = batch, batch.crops.device.type
        self.model = workload.model().to(self.device, memory_format=self.layout)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01, momentum=0.9, fused=self.optimized)
        self.crops = self.model.num_crops
        # created here: no transfer from the host is allowed while a CUDA graph is captured
        self.mean, self.std = (
            255 * torch.tensor(of, device=self.device) for of in (IMAGENET_MEAN, IMAGENET_STD)
        )

    def logits(self, crops: Tensor) -> Tensor:
        x = ((crops.flatten(0, 1).float() - self.mean) / self.std).permute(0, 3, 1, 2)
        x = x.contiguous(memory_format=self.layout)
        x = x if self.crops is None else x.reshape(*crops.shape[:2], *x.shape[1:])
        # no cache of weights: a CUDA graph would reuse the values of its capture
        with torch.autocast(self.device, torch.bfloat16, enabled=self.optimized, cache_enabled=False):
            return self.model(x).logits.float()

    def train(self, batch: Batch | None = None) -> None:
        self.train_step(batch or self.batch)
        synchronize(self.device)

    def train_step(self, batch: Batch) -> None:
        loss = nn.functional.cross_entropy(self.logits(batch.crops), batch.target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def infer(self) -> None:
        self.run_inference()
        synchronize(self.device)

    def run_inference(self) -> None:
        with torch.inference_mode():
            self.logits(self.batch.crops)


class OptimizedRunner(BaselineRunner):
    """bf16, channels last."""

    layout, optimized = torch.channels_last, True

    def compile_model(self) -> "OptimizedRunner":
        self.model.compile(backend="inductor" if self.device == "cuda" else "eager")
        return self

    def capture_graph(self, work: Callable[[], object]) -> Callable[[], object]:
        """Capture work after a few rounds in a side stream, as CUDA requires."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(side)
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            work()
        return lambda: (captured.replay(), synchronize(self.device))


class LazyCall:
    """Work that is prepared in its first call, so that errors occur there."""

    def __init__(self, prepare: Callable[[], Callable[[], object]]) -> None:
        self._prepare, self._work = prepare, None

    def __call__(self) -> object:
        self._work = self._work or self._prepare()
        return self._work()


def training_variants(workload: Workload, device: str) -> Variants:
    feed = make_feed(workload, device)
    batch = feed.batch()
    baseline, ours, compute, compiled = (
        kind(workload, batch) for kind in (BaselineRunner, OptimizedRunner, OptimizedRunner, OptimizedRunner)
    )
    for runner in (baseline, ours, compute, compiled):
        runner.model.train()
    variants: Variants = {
        "baseline": baseline.train,
        "ours": lambda: ours.train(feed.batch()),
        "compute": compute.train,
        "compiled": compiled.compile_model().train,
    }
    if device == "cuda":
        graphed = OptimizedRunner(workload, batch)
        graphed.model.train()
        variants["graph"] = LazyCall(lambda: graphed.capture_graph(lambda: graphed.train_step(batch)))
    return variants


def inference_variants(workload: Workload, device: str) -> Variants:
    batch = make_feed(workload, device).batch()
    baseline, ours, compiled = (
        kind(workload, batch) for kind in (BaselineRunner, OptimizedRunner, OptimizedRunner)
    )
    for runner in (baseline, ours, compiled):
        runner.model.eval()
    variants: Variants = {
        "baseline": baseline.infer,
        "ours": ours.infer,
        "compiled": compiled.compile_model().infer,
    }
    if device == "cuda":
        graphed = OptimizedRunner(workload, batch)
        graphed.model.eval()
        variants["graph"] = LazyCall(lambda: graphed.capture_graph(graphed.run_inference))
    return variants


def make_feed(workload: Workload, device: str) -> BatchFeed:
    return BatchFeed(workload.batch_size, size=workload.size, crops=workload.model().num_crops, device=device)
