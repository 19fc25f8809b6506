"""``lesionlens data generate`` and ``lesionlens data inject-artifact``."""

import re
from pathlib import Path
from typing import Annotated

import typer

from lesionlens.core.errors import DataError


def _parse_size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise DataError(f"{text!r} is no size; give height and width in pixels, such as 192x256")
    return int(found[1]), int(found[2])


def generate_command(
    root: Annotated[Path, typer.Argument(help="Folder to write, not there yet or empty.")],
    layout: Annotated[
        str, typer.Option(help="ham10000, isic2016, isic2017, isic2018, isic2018-task1 or derm7pt.")
    ] = "ham10000",
    images: Annotated[int, typer.Option(min=1, help="How many.")] = 900,
    size: Annotated[str, typer.Option(metavar="HEIGHTxWIDTH", help="In pixels.")] = "192x256",
    seed: Annotated[int, typer.Option(min=0, help="The same seed paints the same images.")] = 0,
    difficulty: Annotated[
        float, typer.Option(min=0, max=1, help="0: classes are distinct; 1: they look alike.")
    ] = 0.5,
    exclude_artifact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ARTIFACT",
            help="Never paint hair, ruler, gel_bubbles, ink_markings, color_patch or dark_corners.",
        ),
    ] = None,
    num_workers: Annotated[int, typer.Option(min=1, help="Processes that paint.")] = 1,
) -> None:
    """Generate a synthetic data set in an official layout, with masks, structures and artifacts.

    Drawn by a program, of no patient. Research use only, not for any medical use.
    """
    from rich.console import Console

    from lesionlens.core.console import progress_bar
    from lesionlens.synthesis.artifacts import ArtifactRates
    from lesionlens.synthesis.layouts import generate_in_layout

    console = Console(stderr=True)
    with progress_bar(console) as progress:
        task_id = progress.add_task("painting", total=images)
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
    typer.echo(f"{images} synthetic images, of no patient: {layout}:{root}. Research use only.")


def inject_artifact_command(
    source: Annotated[str, typer.Argument(help="NAME:ROOT, or the path of a table or of a folder.")],
    root: Annotated[Path, typer.Argument(help="Folder to write, not there yet or empty.")],
    artifact: Annotated[str, typer.Option(help="ruler, color_patch, ink_markings, hair or gel_bubbles.")],
    rate_difference: Annotated[
        float,
        typer.Option(
            min=-1,
            max=1,
            help="Share of the class's images that get it less that of the others; 0: half of both.",
        ),
    ],
    task: Annotated[str, typer.Option(help="The class, against all others.")] = "melanoma",
    seed: Annotated[int, typer.Option(min=0, help="Of which images get it, and how it looks.")] = 0,
    max_short_side: Annotated[
        int | None, typer.Option(min=32, help="Bring larger images down to this many pixels.")
    ] = None,
) -> None:
    """Copy a data set and paint an artifact on a share of its images, by their label: a shortcut made to measure.

    The copy is a table (table:ROOT/images.csv); its lesion masks stay where the data set has them.

    The copy is synthetic in part: painted over by a program. Research use only, not for any medical use.
    """
    import json

    from rich.console import Console

    from lesionlens.core.console import progress_bar
    from lesionlens.synthesis.inject_artifacts import inject_artifact

    console = Console(stderr=True)
    with progress_bar(console) as progress:
        task_id = progress.add_task("injecting", total=None)
        copy = inject_artifact(
            source,
            root,
            artifact=artifact,
            rate_difference=rate_difference,
            task=task,
            seed=seed,
            max_short_side=max_short_side,
            progress=lambda done, total: progress.update(task_id, completed=done, total=total),
        )
    record = json.loads((root / "artifact_injection.json").read_text(encoding="utf-8"))
    fractions = ", ".join(
        f"{record[key]:.0%} of {of}"
        for key, of in (("fraction_of_class", task), ("fraction_of_others", "the others"))
        if record[key] is not None
    )
    typer.echo(
        f"{artifact} on {fractions} (each image by chance; asked for was a difference of {rate_difference:+.0%}): "
        f"{copy}. Painted by a program; research use only."
    )
