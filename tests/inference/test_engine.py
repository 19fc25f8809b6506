"""Inference engines: scores equal those of the network, computed one crop and view at a time."""

import numpy as np
import pytest
import torch

from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.batch import predict_scores
from lesionlens.inference.engines import open_engine
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel

CLASSES = ("melanoma", "nevus", "wart")


def untrained(attention: str = "none", **options: object) -> LoadedModel:
    """Return a tiny network whose scores differ between images."""
    torch.manual_seed(1)
    spec = make_model_spec(backbone="test_resnet", attention=attention, **options)
    model = build_network(spec, 3).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("fc.weight"):
            torch.nn.init.normal_(parameter, std=3)
    preprocessing = Preprocessing(input_size=(48, 48), crops="multi-scale", crop_count=4, tta="flips")
    return LoadedModel(model, ModelCard(architecture=spec, classes=CLASSES, preprocessing=preprocessing))


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 48, 48, 3), dtype=np.uint8)


def reference_scores(loaded: LoadedModel, crops: np.ndarray) -> np.ndarray:
    """Score one image, crop and TTA view at a time, in float64."""
    preprocessing, model = loaded.card.preprocessing, loaded.model
    scores = []
    for image in crops:
        x = (image / 255 - np.array(preprocessing.mean)) / np.array(preprocessing.std)
        x = torch.from_numpy(x).permute(0, 3, 1, 2).float()
        views = [x, x.flip(-1), x.flip(-2), x.flip(-2, -1)]
        with torch.no_grad():
            if model.num_crops:
                logits = [model(view[None]).logits[0] for view in views]
            else:
                logits = [model(crop[None]).logits[0] for view in views for crop in view]
        scores.append(torch.stack(logits).double().softmax(dim=1).mean(dim=0).numpy())
    return np.stack(scores)


@pytest.mark.parametrize(("attention", "options"), [("none", {}), ("patch", {"crops": 4, "end": True})])
def test_torch_engine_scores_equal_those_of_the_network(attention: str, options: dict[str, object]) -> None:
    loaded, crops = untrained(attention, **options), images(3)
    expected = reference_scores(loaded, crops)
    engine = open_engine(loaded, "torch", num_images=3)
    assert engine.name == "torch"
    np.testing.assert_allclose(predict_scores(engine, loaded.card, crops).scores, expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-3  # scores differ between images


def test_bf16_is_close_to_float32() -> None:
    loaded, crops = untrained(), images(3)
    exact = predict_scores(open_engine(loaded, "torch", num_images=3), loaded.card, crops).scores
    fast = predict_scores(
        open_engine(loaded, "torch", precision="bf16", num_images=3), loaded.card, crops
    ).scores
    assert 0 < np.abs(fast - exact).max() < 0.02
