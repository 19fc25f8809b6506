"""Inference on batches of crops: each engine against eager PyTorch and against one convolution.

Each variant has its own process. The roofline is one large convolution with as many operations, in the precision of
ours.
"""

import os
from collections.abc import Callable
from functools import partial
from tempfile import TemporaryDirectory

import numpy as np
import torch
from harness import ResultRow, measure_variants, parse_options, report_results
from isolated_process import isolated_processes, make_variant
from roofline import convolution_gflop, prepare_convolution

from lesionlens.core.runtime import retain_freed_memory
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.batch import predict_scores
from lesionlens.inference.engine import EngineName, Precision
from lesionlens.inference.engines import open_engine
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel

GFLOPS = {"resnet50": 8.2, "mobilenetv2_100": 0.6}  # per image of 224 × 224 pixels
REPEATS_BY_BATCH = {1: 10, 16: 1}  # repeats per turn
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def make_model(backbone: str) -> LoadedModel:
    """Make the same untrained network of seven classes in each process."""
    torch.manual_seed(0)
    made = make_model_spec(backbone=backbone)
    card = ModelCard(architecture=made, classes=tuple("abcdefg"), preprocessing=Preprocessing())
    return LoadedModel(build_network(made, 7).eval(), card)


def random_crops(batch: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, 1, 224, 224, 3), dtype=np.uint8)


def prepare_baseline(backbone: str, batch: int) -> Callable[[], object]:
    """PyTorch's defaults: float32, eager."""
    loaded, crops = make_model(backbone), random_crops(batch)

    def go() -> None:
        with torch.no_grad():
            x = loaded.card.preprocessing.normalize(torch.from_numpy(crops[:, 0])).contiguous()
            loaded.model(x).logits.softmax(dim=1)

    return go


def prepare_engine(
    backbone: str, batch: int, *, name: EngineName, precision: Precision = "fp32"
) -> Callable[[], object]:
    loaded = make_model(backbone)
    engine = open_engine(loaded, name, precision=precision, num_images=batch)
    return partial(predict_scores, engine, loaded.card, random_crops(batch))


def prepare_roofline(backbone: str, batch: int, *, precision: Precision = "fp32") -> Callable[[], object]:
    """One convolution with as many operations as the network."""
    retain_freed_memory()
    images = max(1, round(GFLOPS[backbone] * batch / convolution_gflop(images=1)))
    return prepare_convolution(images, DTYPES[precision], "cpu")


def measure_engines(
    backbone: str, batch: int, precision: Precision, *, target: float | None, unit: str = "img/s"
) -> ResultRow:
    """Compare the engines that support a precision; ours is OpenVINO, which ``auto`` uses on CPUs."""
    times = REPEATS_BY_BATCH[batch]
    turn = partial(make_variant, times=times)
    variants = {
        "baseline": turn(prepare_baseline),
        "ours": turn(prepare_engine, name="openvino", precision=precision),
        "our torch": turn(prepare_engine, name="torch", precision=precision),
        "roofline": turn(prepare_roofline, precision=precision),
    }
    if precision == "fp32":
        variants["our onnxruntime"] = turn(prepare_engine, name="onnxruntime")
    title = f"{backbone}, {precision}, batch {batch}"
    with isolated_processes(variants, backbone, batch) as running:
        return measure_variants(title, running, items=times * batch, unit=unit, target=target)


def main() -> None:
    options = parse_options()
    with TemporaryDirectory() as cache:
        os.environ["LESIONLENS_CACHE"] = cache  # set before the first process starts
        rows = [
            measure_engines("resnet50", 16, "fp32", target=2.2),
            measure_engines("resnet50", 16, "bf16", target=10),
            measure_engines("resnet50", 1, "bf16", target=5, unit="ms"),
        ]
        if options.full:
            rows += [measure_engines("resnet50", 1, "fp32", target=None, unit="ms")]
            rows += [
                measure_engines("mobilenetv2_100", 16, precision, target=None)
                for precision in ("fp32", "bf16")
            ]
    report_results("Inference", rows)


if __name__ == "__main__":
    main()
