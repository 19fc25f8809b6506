"""``lesionlens data split``."""

from pathlib import Path
from typing import Annotated

import typer

from lesionlens.cli import split_options as of_split


def split(
    source: Annotated[str, typer.Argument(help="NAME:ROOT, or the path of a table or of a folder.")],
    name: of_split.Name = "grouped",
    folds: of_split.Folds = None,
    fold: of_split.Fold = None,
    seed: of_split.Seed = 0,
    validation: of_split.Validation = 0.15,
    test: of_split.Test = 0.15,
    validation_part: of_split.ValidationPart = "validation",
    test_part: of_split.TestPart = "test",
    select_on: of_split.SelectOn = "validation",
    classes: of_split.Classes = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The CSV to write.")] = Path("split.csv"),
) -> None:
    """Write which image trains, validates and tests, as a CSV image_id,part; print the sizes and remarks."""
    from rich.console import Console
    from rich.table import Table

    from lesionlens.data.datasets import load_table
    from lesionlens.data.splits import make_split

    table = load_table(source, classes=classes)
    made = make_split(
        table,
        name=name or "grouped",
        validation=validation,
        test=test,
        seed=seed,
        folds=folds,
        fold=fold,
        validation_part=validation_part,
        test_part=test_part,
        select_on=select_on,
    )
    made.save(out)
    counts = Table("class", *made.parts, box=None, header_style="bold", pad_edge=False)
    held = {part: table.select(ids) for part, ids in made.parts.items()}
    for each in table.classes:
        counts.add_row(each, *(f"{rows.counts()[each]:,}" for rows in held.values()))
    counts.add_row("all", *(f"{len(rows):,}" for rows in held.values()), style="bold")
    console = Console()
    console.print(made.how, highlight=False)
    console.print(counts)
    for remark in made.remarks:
        console.print(f"remark: {remark}", highlight=False, markup=False)
    for reason in sorted({reason for _, reason in made.left_out}):
        images = sum(why == reason for _, why in made.left_out)
        console.print(f"left out: {images:,} images, {reason}", highlight=False, markup=False)
    console.print(f"written to {out}", highlight=False, soft_wrap=True)
