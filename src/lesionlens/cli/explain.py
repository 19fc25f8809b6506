"""``lesionlens explain``."""

from pathlib import Path
from typing import Annotated

import typer

from lesionlens.cli import options


def explain_command(
    model: options.ModelArgument,
    images: options.ImagesArgument,
    out: Annotated[Path, options.out_folder("Folder for the images.")] = Path("attention_maps"),
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="attention (the network's attention maps), heads (each head of soft attention), cam, gradcam, "
            "gradcam++, layercam, or auto (attention and gradcam where applicable). Repeatable."
        ),
    ] = None,
    target_class: options.TargetClassOption = None,
    masks: options.CropMasksOption = None,
    ids: options.ImageIdsOption = "name",
) -> None:
    """Overlay attention maps, crop weights and class activation maps on images.

    Maps are computed on the crops that inference uses and resized to the image; areas outside all crops are white.
    """
    from lesionlens.core.console import make_console, print_line
    from lesionlens.explanation.explain import explain
    from lesionlens.inference.inputs import collect_inputs, map_labels_to_model_classes
    from lesionlens.models.saved_model import load_model

    loaded = load_model(model)
    inputs = map_labels_to_model_classes(collect_inputs(images, mask_dir=masks, ids=ids), loaded.card)
    labels = {path: label for path, label in zip(inputs.path, inputs.label, strict=True) if label}
    masks_by_path = {path: mask for path, mask in zip(inputs.path, inputs.mask, strict=True) if mask}
    written = explain(
        loaded,
        inputs.path,
        out,
        methods=method or ["auto"],
        target_class=target_class,
        labels=labels,
        masks=masks_by_path,
    )
    print_line(
        make_console(stderr=True),
        f"{len(written)} images are in {out}. Research use only, not a medical device.",
    )
