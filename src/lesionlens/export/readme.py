"""``README.md`` beside an exported network: how to use it without LesionLens."""

from collections.abc import Iterable

from lesionlens.export.card import Agreement, Difference, ExportCard, Target
from lesionlens.preprocessing import Preprocessing

RUN: dict[Target, str] = {
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
SIDES, LISTED = (450, 600), 20  # of the image whose crops are listed, and how many


def readme(card: ExportCard) -> str:
    """Write what a stranger needs: what goes in, what comes out, how it was checked, an example that runs."""
    model, seen = card.model, card.model.preprocessing
    title = model.name or f"{model.architecture.backbone} with attention {model.architecture.attention}"
    score = (
        "1 / (1 + exp(-logits)), each class against the rest"
        if model.independent
        else "softmax of the logits"
    )
    return f"""# {title}

**{card.intended_use}** Its outputs are model scores, never a diagnosis.

Exported with LesionLens {card.lesionlens} ({", ".join(f"{k} {v}" for k, v in card.made_with.items())}).
`card.json` holds all of this for programs.

## What goes in

`{card.input.name}`, float32, {_shape(card.input.shape)}: {_steps(seen)}

{_crops(card)}

## What comes out

{_outputs(card)}

Scores: {score}. Classes in order: {", ".join(model.classes)}.
{_joined(card)}
## Example

```python
{example(card)}
```

## How it was checked

Largest differences from torch in float32 (scores are from 0 to 1):

{_checks(card.checks)}

{_agreement(card.agreement)}"""


def example(card: ExportCard) -> str:
    """Write ten lines that score one image, seen whole (or as each crop), by this export."""
    seen = card.model.preprocessing
    height, width = seen.input_size
    whole = "x[None]" if card.input.name == "images" else f"np.stack([x] * {seen.crop_count})[None]"
    kind = "1 / (1 + np.exp(-logits))" if card.model.independent else "np.exp(logits - logits.max())"
    total = "" if card.model.independent else "\nscores /= scores.sum()"
    cut = "" if seen.crops == "whole" else "  # cut a crop before this"
    return f"""import numpy as np
from PIL import Image

image = Image.open("image.jpg").convert("RGB").resize(({width}, {height}), Image.Resampling.BILINEAR){cut}
x = (np.asarray(image, np.float32) / 255 - {list(seen.mean)}) / {list(seen.std)}
x = np.float32(x).transpose(2, 0, 1)  # channels, height, width
x = {whole}
{RUN[card.target].format(input=card.input.name)}
scores = {kind}{total}
print(dict(zip({list(card.model.classes)}, scores[0].tolist())))  # model scores, for research only"""


def _steps(seen: Preprocessing) -> str:
    height, width = seen.input_size
    small = (
        f" brought down to a shorter side of {seen.shorter_side} pixels if larger,"
        if seen.shorter_side
        else ""
    )
    light = "" if seen.colour == "none" else f" its light made neutral ({seen.colour}),"
    hairs = " hairs removed," if seen.hair == "remove" else ""
    return (
        f"RGB,{small}{hairs}{light} cropped, resized to {height} × {width} (antialiased bilinear), divided by 255, "
        f"less the mean {list(seen.mean)}, divided by {list(seen.std)}; channels first."
    )


def _crops(card: ExportCard) -> str:
    seen = card.model.preprocessing
    where = "" if seen.roi is None else f", in the box around the lesion's mask widened by {seen.roi}"
    if seen.crops == "whole":
        return f"One crop: the whole image{where}."
    boxes = "\n".join(
        f"- {box.top:.0f}, {box.left:.0f}, {box.height:.0f}, {box.width:.0f}"
        for box in seen.boxes(*SIDES)[:LISTED]
    )
    return (
        f"Crops ({seen.crops}): {seen.crop_count}{where}. In an image of {SIDES[0]} × {SIDES[1]} pixels they lie at "
        f"(top, left, height, width; at most {LISTED} are listed):\n\n{boxes}"
    )


def _joined(card: ExportCard) -> str:
    seen = card.model.preprocessing
    parts = [] if card.input.name == "crops" or seen.crop_count == 1 else ["crops"]
    parts += [] if seen.turns == "none" else [f"turns ({seen.turns})"]
    return f"\n{seen.average.capitalize()} are averaged over {' and '.join(parts)}.\n" if parts else ""


def _outputs(card: ExportCard) -> str:
    return "\n".join(f"- `{output.name}` {_shape(output.shape)}" for output in card.outputs)


def _shape(shape: Iterable[int | str]) -> str:
    return f"({', '.join(map(str, shape))})"


def _checks(checks: Iterable[Difference]) -> str:
    return "\n".join(
        f"- batch of {check.batch}: "
        + ", ".join(f"{name} {value:.1e}" for name, value in check.largest.items())
        for check in checks
    )


def _agreement(found: Iterable[Agreement]) -> str:
    return "".join(f"- {sentence(each)}\n" for each in found)


def sentence(found: Agreement) -> str:
    """Say in one line how scores of images agree."""
    areas = ""
    if found.auc is not None and found.auc_of_torch is not None:
        areas = f"; mean AUC {found.auc:.4f}, torch's {found.auc_of_torch:.4f}"
    return (
        f"{found.precision} by {found.computed_by}, {found.images:,} images: the same class in "
        f"{100 * found.classes:.2f} %, scores at most {found.scores:.1g} apart{areas}"
    )
