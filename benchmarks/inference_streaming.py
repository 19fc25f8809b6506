"""Inference on a folder: threads decode ahead while the network computes, compared with sequential work."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from time import perf_counter, sleep

import numpy as np
from harness import ResultRow, measure_variants, parse_options, report_results
from sample_images import write_sample_image

from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.batch import predict_scores, run_inference
from lesionlens.inference.engine import EngineOutput, InferenceEngine
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import InferenceInputs, collect_inputs
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel

BATCH_SIZE = 16


def make_model(backbone: str) -> LoadedModel:
    """Return an untrained network of seven classes with inputs of 224 × 224 pixels."""
    made = make_model_spec(backbone=backbone)
    card = ModelCard(
        architecture=made, classes=tuple("abcdefg"), preprocessing=Preprocessing(max_short_side=256)
    )
    return LoadedModel(build_network(made, 7).eval(), card)


def prepare_sequential_scoring(
    engine: InferenceEngine, loaded: LoadedModel, inputs: InferenceInputs
) -> Callable[[], object]:
    """Decode and compute one batch after the other."""
    preprocessing = loaded.card.preprocessing

    def go() -> list[object]:
        scores: list[object] = []
        for start in range(0, len(inputs.image), BATCH_SIZE):
            crops = [
                preprocessing.extract_crops(preprocessing.load_image(path))
                for path in inputs.paths[start : start + BATCH_SIZE]
            ]
            scores.append(predict_scores(engine, loaded.card, np.stack(crops)))
        return scores

    return go


def simulated_accelerator(seconds: float) -> InferenceEngine:
    """Return an engine that leaves the CPU free, as a GPU does, and takes the given time for each batch."""

    def forward(crops: np.ndarray) -> EngineOutput:
        sleep(seconds)
        return EngineOutput(np.zeros((len(crops), 7), np.float32), np.zeros((len(crops), 1), np.float32))

    return InferenceEngine("simulated", forward, multi_crop=False)


def write_linked_images(folder: Path, width: int, height: int, images: int) -> InferenceInputs:
    """Write a sample image and hard links to it."""
    folder = Path(mkdtemp(dir=folder))
    first = write_sample_image(folder / "0.jpg", width, height)
    for number in range(1, images):
        (folder / f"{number}.jpg").hardlink_to(first)
    return collect_inputs([folder])


def measure_on_cpu(folder: Path, backbone: str, width: int, height: int, images: int) -> ResultRow:
    """Decode and compute on the same cores; the roofline computes decoded images."""
    loaded, inputs = make_model(backbone), write_linked_images(folder, width, height, images)
    engine, preprocessing = open_engine(loaded, "torch", num_images=images), loaded.card.preprocessing
    crops = np.stack([preprocessing.extract_crops(preprocessing.load_image(inputs.paths[0]))] * BATCH_SIZE)
    return measure_variants(
        f"folder of {width} × {height} to scores, {backbone}",
        {
            "baseline": prepare_sequential_scoring(engine, loaded, inputs),
            "ours": lambda: run_inference(engine, loaded.card, inputs, batch_size=BATCH_SIZE),
            "one thread": lambda: run_inference(
                engine, loaded.card, inputs, batch_size=BATCH_SIZE, num_workers=1
            ),
            "roofline": lambda: [
                predict_scores(engine, loaded.card, crops) for _ in range(images // BATCH_SIZE)
            ],
        },
        items=images,
    )


def measure_on_accelerator(folder: Path, width: int, height: int, images: int) -> ResultRow:
    """Decode while an accelerator computes; the roofline only computes."""
    loaded, inputs = make_model("resnet18"), write_linked_images(folder, width, height, images)
    preprocessing = loaded.card.preprocessing
    started = perf_counter()
    for path in inputs.paths[:BATCH_SIZE]:
        preprocessing.extract_crops(preprocessing.load_image(path))
    engine = simulated_accelerator(perf_counter() - started)
    return measure_variants(
        f"folder of {width} × {height} to scores, computed elsewhere",
        {
            "baseline": prepare_sequential_scoring(engine, loaded, inputs),
            "ours": lambda: run_inference(engine, loaded.card, inputs, batch_size=BATCH_SIZE),
            "roofline": lambda: [
                engine.forward(np.empty((BATCH_SIZE, 1, 1, 3), np.uint8)) for _ in range(images // BATCH_SIZE)
            ],
        },
        items=images,
        target=1.5,
    )


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        sizes = [("resnet18", 600, 450, 48), ("resnet18", 4000, 3000, 32)]
        if parse_options().full:
            sizes += [("resnet50", 600, 450, 96), ("resnet50", 4000, 3000, 96)]
        rows = [
            measure_on_accelerator(Path(made), 600, 450, 192),
            measure_on_accelerator(Path(made), 4000, 3000, 80),
        ]
        report_results("Scoring a folder", rows + [measure_on_cpu(Path(made), *size) for size in sizes])
