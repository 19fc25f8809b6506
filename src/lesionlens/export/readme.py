"""``README.md`` beside an exported network: how to use it without LesionLens."""

from collections.abc import Iterable

from lesionlens.export.card import ExportCard, ExportFormat, NumericCheck, VerificationResult
from lesionlens.imaging.preprocessing import Preprocessing

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
EXAMPLE_IMAGE_SIZE, MAX_CROPS_LISTED = (450, 600), 20  # of the image whose crops are listed, and how many


def format_readme(card: ExportCard) -> str:
    """Write what a stranger needs: what goes in, what comes out, how it was checked, an example that runs."""
    model, seen = card.model, card.model.preprocessing
    title = model.name or f"{model.architecture.backbone} with attention {model.architecture.attention}"
    score = (
        "1 / (1 + exp(-logits)), each class against the rest" if model.multilabel else "softmax of the logits"
    )
    return f"""# {title}

**{card.intended_use}** Its outputs are model scores, never a diagnosis.

Exported with LesionLens {card.lesionlens} ({", ".join(f"{k} {v}" for k, v in card.versions.items())}).
`card.json` holds all of this for programs.

## What goes in

`{card.input.name}`, float32, {_format_shape(card.input.shape)}: {_preprocessing_steps(seen)}

{_describe_crops(card)}

## What comes out

{_list_outputs(card)}

Scores: {score}. Classes in order: {", ".join(model.classes)}.
{_describe_aggregation(card)}
## Example

```python
{example_code(card)}
```

## How it was checked

Largest differences from torch in float32 (scores are from 0 to 1):

{_list_checks(card.numeric_checks)}

{_list_verifications(card.verification)}"""


def example_code(card: ExportCard) -> str:
    """Write ten lines that score one image, seen whole (or as each crop), by this export."""
    seen = card.model.preprocessing
    height, width = seen.input_size
    whole = "x[None]" if card.input.name == "images" else f"np.stack([x] * {seen.crop_count})[None]"
    kind = "1 / (1 + np.exp(-logits))" if card.model.multilabel else "np.exp(logits - logits.max())"
    total = "" if card.model.multilabel else "\nscores /= scores.sum()"
    cut = "" if seen.crops == "full" else "  # cut a crop before this"
    return f"""import numpy as np
from PIL import Image

image = Image.open("image.jpg").convert("RGB").resize(({width}, {height}), Image.Resampling.BILINEAR){cut}
x = (np.asarray(image, np.float32) / 255 - {list(seen.mean)}) / {list(seen.std)}
x = np.float32(x).transpose(2, 0, 1)  # channels, height, width
x = {whole}
{INFERENCE_SNIPPETS[card.export_format].format(input=card.input.name)}
scores = {kind}{total}
print(dict(zip({list(card.model.classes)}, scores[0].tolist())))  # model scores, for research only"""


def _preprocessing_steps(preprocessing: Preprocessing) -> str:
    height, width = preprocessing.input_size
    small = (
        f" brought down to a shorter side of {preprocessing.max_short_side} pixels if larger,"
        if preprocessing.max_short_side
        else ""
    )
    light = (
        ""
        if preprocessing.color_constancy == "none"
        else f" its light made neutral ({preprocessing.color_constancy}),"
    )
    hairs = " hairs removed," if preprocessing.hair_removal else ""
    return (
        f"RGB,{small}{hairs}{light} cropped, resized to {height} × {width} (antialiased bilinear), divided by 255, "
        f"less the mean {list(preprocessing.mean)}, divided by {list(preprocessing.std)}; channels first."
    )


def _describe_crops(card: ExportCard) -> str:
    seen = card.model.preprocessing
    where = (
        ""
        if seen.roi_margin is None
        else f", in the box around the lesion's mask widened by {seen.roi_margin}"
    )
    if seen.crops == "full":
        return f"One crop: the whole image{where}."
    boxes = "\n".join(
        f"- {box.top:.0f}, {box.left:.0f}, {box.height:.0f}, {box.width:.0f}"
        for box in seen.crop_boxes(*EXAMPLE_IMAGE_SIZE)[:MAX_CROPS_LISTED]
    )
    return (
        f"Crops ({seen.crops}): {seen.crop_count}{where}. In an image of {EXAMPLE_IMAGE_SIZE[0]} × "
        f"{EXAMPLE_IMAGE_SIZE[1]} pixels they lie at (top, left, height, width; "
        f"at most {MAX_CROPS_LISTED} are listed):\n\n{boxes}"
    )


def _describe_aggregation(card: ExportCard) -> str:
    seen = card.model.preprocessing
    parts = [] if card.input.name == "crops" or seen.crop_count == 1 else ["crops"]
    parts += [] if seen.tta == "none" else [f"turns ({seen.tta})"]
    return f"\n{seen.aggregate.capitalize()} are averaged over {' and '.join(parts)}.\n" if parts else ""


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
    return "".join(f"- {format_agreement(each)}\n" for each in results)


def format_agreement(result: VerificationResult) -> str:
    """Say in one line how scores of images agree."""
    areas = ""
    if result.auc is not None and result.torch_auc is not None:
        areas = f"; mean AUC {result.auc:.4f}, torch's {result.torch_auc:.4f}"
    return (
        f"{result.precision} by {result.engine}, {result.num_images:,} images: the same class in "
        f"{100 * result.class_agreement:.2f} %, scores at most {result.max_score_difference:.1g} apart{areas}"
    )
