"""The ``README.md`` of an exported network: how to use it without LesionLens."""

from collections.abc import Iterable

from lesionlens.models.export_card import ExportCard, ExportFormat, NumericCheck, VerificationResult
from lesionlens.report.card_setup import describe_preprocessing
from lesionlens.uncertainty.calibration import FittedCalibration

INFERENCE_SNIPPETS: dict[ExportFormat, str] = {
    "onnx": """import onnxruntime
run = onnxruntime.InferenceSession("model.onnx").run
logits = run(["logits"], {{"{input}": x}})[0]""",
    "openvino": """import openvino
network = openvino.Core().compile_model("model.xml", "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}})
logits = network(x)["logits"]""",
    "torch-export": """import torch
network = torch.export.load("model.pt2").module()
logits = network(torch.from_numpy(x))[0].detach().numpy()""",
}
EXAMPLE_IMAGE_SIZE, MAX_CROPS_LISTED = (
    (450, 600),
    20,
)  # size of the image whose crops are listed; most crops listed


def format_readme(card: ExportCard, fitted: FittedCalibration | None = None) -> str:
    """Return the README: input, output, calibration, verification, and an example that runs."""
    model = card.model
    title = model.name or f"{model.architecture.backbone} with attention {model.architecture.attention}"
    score = (
        "1 / (1 + exp(-logits)), each class independently" if model.multilabel else "softmax of the logits"
    )
    return f"""# {title}

**{card.intended_use}** Its outputs are model scores, never a diagnosis.

Exported with LesionLens {card.lesionlens} ({", ".join(f"{k} {v}" for k, v in card.versions.items())}).
`card.json` contains the same information in machine-readable form. `MODEL_CARD.md`, if present, describes data, results
and limits. `lesionlens predict FOLDER IMAGES` does everything that follows (formats onnx and openvino).

## Input

`{card.input.name}`, float32, {_format_shape(card.input.shape)}: {describe_preprocessing(model.preprocessing)}

{_describe_crops(card)}

## Output

{_list_outputs(card)}

Scores: {score}. Classes in order: {", ".join(model.classes)}.
{_describe_aggregation(card)}
## Example

```python
{example_code(card)}
```
{_describe_calibration(fitted)}
## Verification

Largest absolute differences from PyTorch in float32 (scores range from 0 to 1):

{_list_checks(card.numeric_checks)}

{_list_verifications(card.verification)}"""


def example_code(card: ExportCard) -> str:
    """Return a ten-line script that scores one uncropped image (or one crop) with this export."""
    preprocessing = card.model.preprocessing
    height, width = preprocessing.input_size
    batch = "x[None]" if card.input.name == "images" else f"np.stack([x] * {preprocessing.crop_count})[None]"
    activation = "1 / (1 + np.exp(-logits))" if card.model.multilabel else "np.exp(logits - logits.max())"
    normalization = "" if card.model.multilabel else "\nscores /= scores.sum()"
    comment = "" if preprocessing.crops == "full" else "  # extract a crop before this"
    return f"""import numpy as np
from PIL import Image

image = Image.open("image.jpg").convert("RGB").resize(({width}, {height}), Image.Resampling.BILINEAR){comment}
x = (np.asarray(image, np.float32) / 255 - {list(preprocessing.mean)}) / {list(preprocessing.std)}
x = np.float32(x).transpose(2, 0, 1)  # channels, height, width
x = {batch}
{INFERENCE_SNIPPETS[card.export_format].format(input=card.input.name)}
scores = {activation}{normalization}
print(dict(zip({list(card.model.classes)}, scores[0].tolist())))  # model scores, for research only"""


def _describe_calibration(fitted: FittedCalibration | None) -> str:
    """Return how calibrated scores, prediction sets and the detector are computed; "" without a calibration."""
    if fitted is None:
        return ""
    calibration, detector = fitted
    log_scores = "log(p / (1 - p))" if calibration.independent else "log(p)"
    function = "sigmoid" if calibration.independent else "softmax"
    rules = "".join(
        f"- {rule.coverage:.0%} of the images have their class among those with a calibrated score of at least "
        f"{1 - rule.quantile:.4f}\n"
        for rule in calibration.prediction_sets
    )
    caveats = "".join(f"- Caveat: {caveat}.\n" for caveat in calibration.caveats)
    unknown = (
        ""
        if detector is None
        else f"- `calibration.safetensors` has the arrays of the detector of unknown images ({detector.name}), which "
        "reads `features`, averaged over crops and TTA views\n"
    )
    return f"""
## Calibration

`calibration.json` was measured on {calibration.n_images:,} images of {calibration.n_lesions:,} lesions. For a score p:

- calibrated score: {function} of scale × {log_scores} + bias, with scale {_format_numbers(calibration.scale)}, \
bias {_format_numbers(calibration.bias)}
{rules}{unknown}{caveats}"""


def _format_numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _describe_crops(card: ExportCard) -> str:
    preprocessing = card.model.preprocessing
    roi = (
        ""
        if preprocessing.roi_margin is None
        else f", within the bounding box of the lesion mask expanded by {preprocessing.roi_margin}"
    )
    if preprocessing.crops == "full":
        return f"One crop: the full image{roi}."
    boxes = "\n".join(
        f"- {box.top:.0f}, {box.left:.0f}, {box.height:.0f}, {box.width:.0f}"
        for box in preprocessing.crop_boxes(*EXAMPLE_IMAGE_SIZE)[:MAX_CROPS_LISTED]
    )
    return (
        f"Crops ({preprocessing.crops}): {preprocessing.crop_count}{roi}. Their boxes in an image of "
        f"{EXAMPLE_IMAGE_SIZE[0]} × {EXAMPLE_IMAGE_SIZE[1]} pixels (top, left, height, width; at most "
        f"{MAX_CROPS_LISTED} are listed):\n\n{boxes}"
    )


def _describe_aggregation(card: ExportCard) -> str:
    preprocessing = card.model.preprocessing
    axes = [] if card.input.name == "crops" or preprocessing.crop_count == 1 else ["crops"]
    axes += [] if preprocessing.tta == "none" else [f"TTA views ({preprocessing.tta})"]
    over = " and ".join(axes)
    if preprocessing.aggregate == "vote":
        text = f"Scores are the fractions of votes over {over}: each votes for its largest score."
    else:
        text = f"{preprocessing.aggregate.capitalize()} are averaged over {over}."
    return f"\n{text}\n" if axes else ""


def _list_outputs(card: ExportCard) -> str:
    return "\n".join(f"- `{output.name}` {_format_shape(output.shape)}" for output in card.outputs)


def _format_shape(shape: Iterable[int | str]) -> str:
    return f"({', '.join(map(str, shape))})"


def _list_checks(checks: Iterable[NumericCheck]) -> str:
    return "\n".join(
        f"- batch of {check.batch_size}: "
        + ", ".join(f"{name} {value:.1e}" for name, value in check.max_errors.items())
        for check in checks
    )


def _list_verifications(results: Iterable[VerificationResult]) -> str:
    return "".join(f"- {format_agreement(result)}\n" for result in results)


def format_agreement(result: VerificationResult) -> str:
    """Return one line on the agreement with PyTorch on images."""
    auc = ""
    if result.auc is not None and result.torch_auc is not None:
        auc = f"; macro AUC {result.auc:.4f}, PyTorch's {result.torch_auc:.4f}"
    return (
        f"{result.precision} with {result.engine}, {result.num_images:,} images: same class in "
        f"{100 * result.class_agreement:.2f} %, largest score difference {result.max_score_difference:.1g}{auc}"
    )
