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
            help="attention (the network's attention maps), attention-features (ARL-CNN: mask times identity of each "
            "block), heads (each head of soft attention), cam, gradcam, gradcam++, layercam, auto (attention and "
            "gradcam where applicable), or all (attention and the CAM methods where applicable). Repeatable."
        ),
    ] = None,
    raw_maps: Annotated[
        bool, typer.Option("--raw-maps", help="Also write each map without its image, as ID.MAP.raw.png.")
    ] = False,
    target_class: options.TargetClassOption = None,
    masks: options.CropMasksOption = None,
    ids: options.ImageIdsOption = "name",
    within_root: options.WithinRootOption = False,
    device: options.DeviceOption = "auto",
    num_threads: options.NumThreadsOption = None,
) -> None:
    """Overlay attention maps, crop weights and class activation maps on images.

    Maps are computed on the crops that inference uses and resized to the image; areas outside all crops are white.
    """
    from lesionlens.core.console import make_console, print_line, progress_bar
    from lesionlens.core.runtime import set_num_threads
    from lesionlens.datasets.folder_walk import PANEL_SUFFIX
    from lesionlens.datasets.issues import pluralize
    from lesionlens.explanation.explain import explain
    from lesionlens.inference.inputs import collect_inputs, map_labels_to_model_classes
    from lesionlens.models.saved_model import load_saved_model

    console = make_console(stderr=True)
    set_num_threads(num_threads)
    with progress_bar(console, unit="images") as progress:
        task = progress.add_task("computing maps", total=None)
        loaded = load_saved_model(model, device=device)
        collected = collect_inputs(images, mask_dir=masks, ids=ids, within_root=within_root)
        inputs = map_labels_to_model_classes(collected, loaded.card)
        written = explain(
            loaded,
            inputs.paths,
            out,
            methods=method or ["auto"],
            target_class=target_class,
            labels={path: label for path, label in zip(inputs.paths, inputs.label, strict=True) if label},
            masks={path: mask for path, mask in zip(inputs.paths, inputs.mask, strict=True) if mask},
            raw_maps=raw_maps,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    explained = sum(path.name.endswith(PANEL_SUFFIX) for path in written)
    print_line(
        console,
        f"{pluralize(explained, 'image')} explained: {pluralize(len(written), 'file')} in {out}. "
        "Research use only, not a medical device.",
    )
