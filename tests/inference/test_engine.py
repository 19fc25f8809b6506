"""Every engine gives the scores that the network itself gives, worked out the slow way."""

import numpy as np
import pytest
import torch

from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.batch import predict_scores
from lesionlens.inference.engines import open_engine
from lesionlens.models.factory import make_model_spec
from lesionlens.models.saved_model import LoadedModel, ModelCard

CLASSES = ("melanoma", "nevus", "wart")


def untrained(attention: str = "none", **options: object) -> LoadedModel:
    """Make a tiny network whose scores differ from image to image."""
    torch.manual_seed(1)
    made = make_model_spec(backbone="test_resnet", attention=attention, **options)
    model = made.build(3).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("fc.weight"):
            torch.nn.init.normal_(parameter, std=3)
    seen = Preprocessing(input_size=(48, 48), crops="multi-scale", crop_count=4, tta="flips")
    return LoadedModel(model, ModelCard(architecture=made, classes=CLASSES, preprocessing=seen))


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 48, 48, 3), dtype=np.uint8)


def slowly(loaded: LoadedModel, crops: np.ndarray) -> np.ndarray:
    """Score image by image, crop by crop, turn by turn, in double precision."""
    seen, model = loaded.card.preprocessing, loaded.model
    scores = []
    for image in crops:
        x = (image / 255 - np.array(seen.mean)) / np.array(seen.std)
        x = torch.from_numpy(x).permute(0, 3, 1, 2).float()
        turned = [x, x.flip(-1), x.flip(-2), x.flip(-2, -1)]
        with torch.no_grad():
            if model.num_crops:
                each = [model(four[None]).logits[0] for four in turned]
            else:
                each = [model(one[None]).logits[0] for four in turned for one in four]
        scores.append(torch.stack(each).double().softmax(dim=1).mean(dim=0).numpy())
    return np.stack(scores)


@pytest.mark.parametrize(("attention", "options"), [("none", {}), ("patch", {"crops": 4, "end": True})])
def test_torch_engine_scores_equal_those_of_the_network(attention: str, options: dict[str, object]) -> None:
    loaded, crops = untrained(attention, **options), images(3)
    expected = slowly(loaded, crops)
    engine = open_engine(loaded, "torch", num_images=3)
    assert engine.name == "torch"
    np.testing.assert_allclose(predict_scores(engine, loaded.card, crops), expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-3  # images are told apart


def test_bf16_is_close_but_not_the_same() -> None:
    loaded, crops = untrained(), images(3)
    exact = predict_scores(open_engine(loaded, "torch", num_images=3), loaded.card, crops)
    fast = predict_scores(open_engine(loaded, "torch", precision="bf16", num_images=3), loaded.card, crops)
    assert 0 < np.abs(fast - exact).max() < 0.02
