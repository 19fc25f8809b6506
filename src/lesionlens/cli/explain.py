"""``lesionlens explain``."""

from pathlib import Path
from typing import Annotated

import typer


def explain_command(
    model: Annotated[Path, typer.Argument(help="A saved model's folder, or a run's.")],
    images: Annotated[
        list[str], typer.Argument(help="Folders, image files, or tables (NAME:ROOT, or a CSV or parquet).")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path(
        "attention_maps"
    ),
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="attention (the network's own maps), heads (each head of soft attention), cam, gradcam, gradcam++, "
            "layercam, or auto (attention and gradcam, what fits); give it once for each."
        ),
    ] = None,
    target_class: Annotated[
        str | None, typer.Option(help="Class to explain; default: the highest score.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Folder of lesion masks ID.png, for a model that looks at the box around the lesion."
        ),
    ] = None,
) -> None:
    """Draw where a model looked over each image: its own attention, crops' weights, and what spoke for a class.

    Maps are of the crops that prediction scores, brought back to the image; what no crop showed is veiled in white.
    """
    from rich.console import Console

    from lesionlens.explanation.explain import explain
    from lesionlens.inference.inputs import collect_inputs
    from lesionlens.models.saved_model import load_model

    loaded = load_model(model)
    inputs = collect_inputs(images, classes=loaded.card.classes, mask_dir=masks)
    labels = {path: label for path, label in zip(inputs.path, inputs.label, strict=True) if label}
    lesions = {path: mask for path, mask in zip(inputs.path, inputs.mask, strict=True) if mask}
    written = explain(
        loaded,
        inputs.path,
        out,
        methods=method or ["auto"],
        target_class=target_class,
        labels=labels,
        masks=lesions,
    )
    Console(stderr=True).print(
        f"{len(written)} pictures in {out}. Research use only, not a medical device.",
        highlight=False,
        soft_wrap=True,
    )
