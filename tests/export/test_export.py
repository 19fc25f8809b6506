"""Export of every mechanism in every format, its verification, and the example in its README."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image

from lesionlens.core.errors import BackendError, DataError
from lesionlens.export import export as exporting
from lesionlens.export import verification as agreement
from lesionlens.export.export import export, load_exported, save_exported, verify
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.backends import openvino_supports_bf16
from lesionlens.inference.inputs import collect_inputs
from lesionlens.inference.predict import predict
from lesionlens.inference.tracing import max_abs_errors, trace_model
from lesionlens.models.export_card import ExportFormat
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel, save_model

DENSE = {"growth_rate": 8, "block_config": (2, 2, 2, 2), "bn_size": 2}
MECHANISMS: dict[str, dict[str, Any]] = {
    "arl": {"backbone": "test_resnet", "attention": "arl"},
    "ran": {"backbone": "test_resnet", "attention": "ran"},
    "gate": {"backbone": "test_efficientnet", "attention": "gate"},
    "gate softmax": {"backbone": "test_resnet", "attention": "gate", "normalization": "softmax"},
    "multi-stage": {"backbone": "mobilenetv2_050", "attention": "multi-stage"},
    "soft": {"backbone": "test_efficientnet", "attention": "soft", "flatten": 2},
    "soft authors": {"backbone": "test_efficientnet", "attention": "soft", "mode": "authors", "flatten": 3},
    "crops": {"backbone": "test_resnet", "attention": "patch+gate", "crops": 5, "initial": True, "end": True},
    "gru": {"backbone": "test_resnet", "attention": "patch", "crops": 5, "combine": "gru"},
    "datta": {"backbone": "datta_resnet34", "attention": "soft"},
    "vgg": {"backbone": "vgg11_bn"},
    "densenet": {"backbone": "densenet121", **DENSE},
    "vit": {"backbone": "test_vit", "attention": "soft", "img_size": (96, 96)},
}


def make_loaded(options: dict[str, Any], size: tuple[int, int] = (75, 107)) -> LoadedModel:
    """Return a network whose normalizations are not the identity, and whose scores differ."""
    torch.manual_seed(3)
    spec = make_model_spec(**options)
    model = build_network(spec, 3).eval()
    for name, values in model.named_buffers():
        if name.endswith("running_mean"):
            torch.nn.init.uniform_(values, -0.1, 0.1)
    crops = model.num_crops or 1
    preprocessing = Preprocessing(input_size=size, crops="grid" if crops > 1 else "full", crop_count=crops)
    return LoadedModel(
        model,
        ModelCard(architecture=spec, classes=("melanoma", "nevus", "wart"), preprocessing=preprocessing),
    )


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_each_mechanism_in_each_format(mechanism: str, tmp_path: Path) -> None:
    loaded = make_loaded(MECHANISMS[mechanism], *([(96, 96)] if mechanism == "vit" else []))
    traced = trace_model(loaded, maps=True)
    maps = loaded.model(
        torch.rand(1, *([5] if loaded.model.num_crops else []), 3, *loaded.card.preprocessing.input_size),
        maps=True,
    ).maps
    assert traced.output_names == ("logits", "features", *(f"map {name}" for name in maps))
    for target in get_args(ExportFormat):
        checks = verify(loaded, load_exported(save_exported(traced, target, tmp_path), target))
        assert [check.batch_size for check in checks] == [1, 3]
        assert list(checks[0].max_errors) == ["scores", *traced.output_names]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "in_bf16"), [("onnx", "openvino"), ("openvino", "openvino"), ("torch-export", "torch")]
)
def test_readme_example_gives_the_scores_of_the_model(
    target: ExportFormat,
    in_bf16: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    loaded = make_loaded({"backbone": "test_resnet", "attention": "arl"}, (48, 64))
    save_model(tmp_path / "bundle", loaded.model, loaded.card)
    (tmp_path / "bundle" / "README.md").write_text("# Model card of the run\n")
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    (tmp_path / "photos").mkdir()
    Image.fromarray(pixels).save(tmp_path / "photos" / "image.png")
    card = export(tmp_path / "bundle", target, tmp_path / "out", verify_on=[str(tmp_path / "photos")])
    expected = predict(tmp_path / "bundle", [tmp_path / "photos"], engine="torch").predictions.scores[0]

    readme = (tmp_path / "out" / "README.md").read_text()
    assert "Research use only, not a medical device." in readme
    assert (tmp_path / "out" / "MODEL_CARD.md").read_text() == "# Model card of the run\n"
    monkeypatch.chdir(tmp_path / "out")
    code = readme.split("```python\n")[1].split("```")[0].replace("image.jpg", "../photos/image.png")
    exec(code, {})
    printed = json.loads(capsys.readouterr().out.replace("'", '"'))
    np.testing.assert_allclose(list(printed.values()), expected, atol=1e-5)

    bf16 = [("bf16", in_bf16, 1)] if in_bf16 == "torch" or openvino_supports_bf16() else []
    engines = [(result.precision, result.engine, result.num_images) for result in card.verification]
    assert engines == [("fp32", target, 1), *bf16]
    assert card.verification[0].class_agreement == 1
    written = json.loads((tmp_path / "out" / "card.json").read_text())
    assert written["intended_use"] == "Research use only, not a medical device."
    assert written["input"] == {"name": "images", "shape": ["batch", 3, 48, 64]}
    assert [output["name"] for output in written["outputs"]][:2] == ["logits", "features"]
    assert max(written["numeric_checks"][0]["max_errors"].values()) < 1e-4


def test_incorrect_export_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = make_loaded({"backbone": "test_resnet"}, (48, 48))
    save_model(tmp_path / "bundle", loaded.model, loaded.card)

    def wrong_for_batches(x: np.ndarray) -> list[np.ndarray]:
        output = loaded.model(torch.from_numpy(x))
        logits = output.logits.detach().numpy().copy()
        logits[-1, 0] += 0.01 * (len(x) > 1)
        return [logits, output.features.detach().numpy()]

    monkeypatch.setattr(exporting, "save_exported", lambda traced, target, folder: folder / "model.pt2")
    monkeypatch.setattr(exporting, "load_exported", lambda file, target: wrong_for_batches)
    with pytest.raises(
        BackendError, match=r"discarded: for a batch of 3 its logits differ by 0\.01 from PyTorch's"
    ):
        export(tmp_path / "bundle", "torch-export", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(DataError, match="nothing is overwritten"):
        export(tmp_path / "bundle", "torch-export", tmp_path / "out")
    with pytest.raises(BackendError, match="unknown format 'onx': did you mean 'onnx'"):
        export(tmp_path / "bundle", "onx", tmp_path / "other")


def test_missing_images_are_reported_before_tracing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = make_loaded({"backbone": "test_resnet"}, (48, 48))
    save_model(tmp_path / "bundle", loaded.model, loaded.card)
    monkeypatch.setattr(exporting, "trace_model", lambda *_, **__: pytest.fail("traced"))
    with pytest.raises(DataError, match="There is no file or folder nowhere"):
        export(tmp_path / "bundle", "onnx", tmp_path / "out", verify_on=["nowhere"])


def test_cpu_without_bf16_is_checked_only_in_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = make_loaded({"backbone": "test_resnet"}, (48, 48))
    Image.new("RGB", (48, 48)).save(tmp_path / "0.png")

    def exact_logits(x: np.ndarray) -> list[np.ndarray]:
        output = loaded.model(torch.from_numpy(x))
        return [output.logits.detach().numpy(), output.features.detach().numpy()]

    monkeypatch.setattr(agreement, "openvino_supports_bf16", lambda: False)
    results = agreement.verify_on_images(
        loaded, tmp_path / "model.onnx", "onnx", exact_logits, collect_inputs([tmp_path])
    )
    assert [(result.precision, result.num_images) for result in results] == [("fp32", 1)]


def test_max_abs_errors_of_scores_logits_and_maps() -> None:
    expected = {
        "logits": torch.tensor([[10.0, 0.0]]),
        "features": torch.tensor([[2.0, 4.0]]),
        "map a": torch.tensor([[[0.5]]]),
    }
    actual = [np.array([[10.0, 1.0]]), np.array([[2.0, 3.0]]), np.array([[[0.25]]])]
    errors = max_abs_errors(actual, expected, multilabel=False)
    score = 1 / (1 + np.exp(-9)) - 1 / (1 + np.exp(-10))
    assert errors == {
        "scores": pytest.approx(abs(score)),
        "logits": pytest.approx(0.1),
        "features": 0.25,  # relative to the largest feature, 4
        "map a": 0.25,
    }
    assert max_abs_errors(actual, expected, multilabel=True)["scores"] == pytest.approx(
        1 / (1 + np.exp(-1)) - 0.5
    )
    assert (
        max_abs_errors([np.array([[np.nan, 0]]), *actual[1:]], expected, multilabel=True)["logits"] == np.inf
    )
