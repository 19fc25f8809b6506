"""``lesionlens data split``."""

from pathlib import Path
from typing import Annotated

import typer

from lesionlens.cli import split_options as of_split


def split_command(
    source: Annotated[str, typer.Argument(help="NAME:ROOT, or the path of a table or of a folder.")],
    name: of_split.SplitNameOption = "grouped",
    folds: of_split.FoldsOption = None,
    fold: of_split.FoldOption = None,
    seed: of_split.SplitSeedOption = 0,
    val_fraction: of_split.ValFractionOption = 0.15,
    test_fraction: of_split.TestFractionOption = 0.15,
    val_split_name: of_split.ValSplitNameOption = "validation",
    test_split_name: of_split.TestSplitNameOption = "test",
    checkpoint_split: of_split.CheckpointSplitOption = "validation",
    classes: of_split.ClassesOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The CSV to write.")] = Path("split.csv"),
) -> None:
    """Write which image trains, validates and tests, as a CSV image_id,part; print the sizes and remarks."""
    from rich.console import Console
    from rich.table import Table

    from lesionlens.data.datasets import load_table
    from lesionlens.data.splits import make_splits

    table = load_table(source, classes=classes)
    made = make_splits(
        table,
        name=name or "grouped",
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=seed,
        n_folds=folds,
        fold=fold,
        val_split_name=val_split_name,
        test_split_name=test_split_name,
        checkpoint_split=checkpoint_split,
    )
    made.save(out)
    counts = Table("class", *made.splits, box=None, header_style="bold", pad_edge=False)
    held = {part: table.select(ids) for part, ids in made.splits.items()}
    for each in table.classes:
        counts.add_row(each, *(f"{rows.class_counts()[each]:,}" for rows in held.values()))
    counts.add_row("all", *(f"{len(rows):,}" for rows in held.values()), style="bold")
    console = Console()
    console.print(made.description, highlight=False)
    console.print(counts)
    for remark in made.caveats:
        console.print(f"remark: {remark}", highlight=False, markup=False)
    for reason in sorted({reason for _, reason in made.excluded}):
        images = sum(why == reason for _, why in made.excluded)
        console.print(f"left out: {images:,} images, {reason}", highlight=False, markup=False)
    console.print(f"written to {out}", highlight=False, soft_wrap=True)
