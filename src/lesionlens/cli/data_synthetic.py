"""``lesionlens data generate`` and ``lesionlens data inject-artifact``."""

import re
from pathlib import Path
from typing import Annotated

import typer

from lesionlens.cli.options import ClassesOption, TableSourceArgument, WithinRootOption, new_folder_argument
from lesionlens.core.errors import DataError


def _parse_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise DataError(f"{text!r} is not a size. Use height and width in pixels, for example 192x256")
    return int(match[1]), int(match[2])


def generate_command(
    root: Annotated[Path, new_folder_argument("New or empty folder to write.")],
    layout: Annotated[
        str, typer.Option(help="ham10000, isic2016, isic2017, isic2018, isic2018-task1 or derm7pt.")
    ] = "ham10000",
    images: Annotated[int, typer.Option(min=1, help="Number of images.")] = 900,
    size: Annotated[str, typer.Option(metavar="HEIGHTxWIDTH", help="Image size in pixels.")] = "192x256",
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed; the same seed generates the same images.")
    ] = 0,
    difficulty: Annotated[
        float, typer.Option(min=0, max=1, help="0: classes are easy to tell apart; 1: they look alike.")
    ] = 0.5,
    exclude_artifact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ARTIFACT",
            help="Artifact to omit: hair, ruler, gel_bubbles, ink_markings, color_patch or dark_corners. Repeatable.",
        ),
    ] = None,
    num_workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
) -> None:
    """Generate a synthetic dataset in an official layout, with masks, dermoscopic structures and artifacts.

    The images show no patient. Research use only, not for any medical use.
    """
    from lesionlens.core.console import make_console, print_line, progress_bar
    from lesionlens.synthesis.artifacts import ArtifactRates
    from lesionlens.synthesis.layouts import generate_in_layout

    console = make_console(stderr=True)
    with progress_bar(console) as progress:
        task_id = progress.add_task("generating images", total=images)
        generate_in_layout(
            layout,
            root,
            num_images=images,
            seed=seed,
            size=_parse_size(size),
            difficulty=difficulty,
            artifacts=ArtifactRates().excluding(exclude_artifact or ()),
            num_workers=num_workers,
            progress=lambda done, _: progress.update(task_id, completed=done),
        )
    print_line(
        make_console(),
        f"Generated {images} synthetic images of no patient: {layout}:{root}. Research use only.",
    )


def inject_artifact_command(
    source: TableSourceArgument,
    root: Annotated[Path, new_folder_argument("New or empty folder to write.")],
    artifact: Annotated[
        str, typer.Option(help="Artifact to add: ruler, color_patch, ink_markings, hair or gel_bubbles.")
    ],
    rate_difference: Annotated[
        float,
        typer.Option(
            min=-1,
            max=1,
            help="P(artifact | class) − P(artifact | other classes); at 0, half of all images.",
        ),
    ],
    task: Annotated[str, typer.Option(help="Class that is compared with all others.")] = "melanoma",
    classes: ClassesOption = None,
    seed: Annotated[
        int,
        typer.Option(min=0, help="Random seed of the selected images and the appearance of the artifact."),
    ] = 0,
    max_short_side: Annotated[
        int | None, typer.Option(min=32, help="Downsample images whose shorter side is longer, in pixels.")
    ] = None,
    within_root: WithinRootOption = False,
) -> None:
    """Copy a dataset and add an artifact to some of its images depending on their label: a shortcut of known strength.

    The copy is a table (table:ROOT/images.csv) that refers to the original lesion masks. Its images are partly
    synthetic. Research use only, not for any medical use.
    """
    import json

    from lesionlens.core.console import make_console, print_line, progress_bar
    from lesionlens.synthesis.inject_artifacts import inject_artifact

    console = make_console(stderr=True)
    with progress_bar(console) as progress:
        task_id = progress.add_task("adding artifacts", total=None)
        copy = inject_artifact(
            source,
            root,
            artifact=artifact,
            rate_difference=rate_difference,
            task=task,
            classes=classes,
            seed=seed,
            max_short_side=max_short_side,
            within_root=within_root,
            progress=lambda done, total: progress.update(task_id, completed=done, total=total),
        )
    record = json.loads((root / "artifact_injection.json").read_text(encoding="utf-8"))
    fractions = ", ".join(
        f"{record[key]:.0%} of {of}"
        for key, of in (("fraction_of_class", task), ("fraction_of_others", "the others"))
        if record[key] is not None
    )
    print_line(
        make_console(),
        f"Added {artifact} to {fractions} (sampled per image; requested difference: {rate_difference:+.0%}): "
        f"{copy}. Partly synthetic images; research use only.",
    )
