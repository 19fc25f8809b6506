"""``lesionlens data``: validate, list, split, audit and generate datasets."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lesionlens.cli.data_synthetic import generate_command, inject_artifact_command

SplitNameOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        help="auto (official splits if there are any, else group_holdout), official, group_holdout, group_kfold, "
        "image_kfold, gessert2019, datta2021, or a CSV file with the columns image_id,split.",
    ),
]
FoldsOption = Annotated[int | None, typer.Option(help="Number of folds.")]
FoldOption = Annotated[int | None, typer.Option(help="Index of the fold, from 0.")]
SplitSeedOption = Annotated[int, typer.Option(min=0, help="Random seed of the split.")]
ValFractionOption = Annotated[
    float, typer.Option(min=0, max=1, help="Fraction of the lesions for validation.")
]
TestFractionOption = Annotated[float, typer.Option(min=0, max=1, help="Fraction of the lesions for test.")]
TrainSplitNamesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--train-split-name", help="Name of a training split in a CSV file; repeat for each. Default: train."
    ),
]
ValSplitNameOption = Annotated[str, typer.Option(help="Name of the validation split in a CSV file.")]
TestSplitNameOption = Annotated[str, typer.Option(help="Name of the test split in a CSV file.")]
CheckpointSplitOption = Annotated[
    Literal["validation", "test"],
    typer.Option(help="Split that selects the checkpoint; test is optimistically biased."),
]
ClassesOption = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="LABEL", help="A class label of your table; repeat for each."),
]


def audit_command(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE…", help="NAME:ROOT, or the path of a table or folder.")
    ],
    split: SplitNameOption = None,
    folds: FoldsOption = None,
    fold: FoldOption = None,
    seed: SplitSeedOption = 0,
    val_fraction: ValFractionOption = 0.15,
    test_fraction: TestFractionOption = 0.15,
    train_split_name: TrainSplitNamesOption = None,
    val_split_name: ValSplitNameOption = "validation",
    test_split_name: TestSplitNameOption = "test",
    checkpoint_split: CheckpointSplitOption = "validation",
    classes: ClassesOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for audit.json, duplicates.csv and duplicates.png."),
    ] = None,
) -> None:
    """Check datasets and splits for data leakage, duplicates, label conflicts and shortcuts.

    The split applies to the first source; without --split, its official splits are checked.
    """
    from rich.console import Console
    from rich.progress import Progress

    from lesionlens.datasets.audit.audit import audit_tables
    from lesionlens.datasets.audit.report import format_audit, write_audit, write_duplicate_contact_sheet
    from lesionlens.datasets.registry import load_table, parse_source
    from lesionlens.datasets.split_names import SplitNames
    from lesionlens.datasets.splits.factory import make_splits

    custom = {source for source in sources if parse_source(source)[0] == "table"}
    tables = [load_table(source, classes=classes if source in custom else None) for source in sources]
    splits = None
    if split is not None:
        splits = make_splits(
            tables[0],
            name=split,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            seed=seed,
            n_folds=folds,
            fold=fold,
            split_names=SplitNames.from_options(train_split_name, val_split_name, test_split_name),
            checkpoint_split=checkpoint_split,
        )
    stderr = Console(stderr=True)
    with Progress(console=stderr, disable=not stderr.is_terminal, transient=True) as progress:
        task = progress.add_task("reading images", total=sum(map(len, tables)))
        report = audit_tables(tables, splits, progress=lambda done, _: progress.update(task, completed=done))
    Console().print(format_audit(report), highlight=False)
    if out is not None:
        write_audit(report, out)
        write_duplicate_contact_sheet(report.duplicates, out / "duplicates.png")
        stderr.print(f"Results are in {out}", highlight=False, soft_wrap=True)


def split_command(
    source: Annotated[str, typer.Argument(help="NAME:ROOT, or the path of a table or folder.")],
    name: SplitNameOption = "auto",
    folds: FoldsOption = None,
    fold: FoldOption = None,
    seed: SplitSeedOption = 0,
    val_fraction: ValFractionOption = 0.15,
    test_fraction: TestFractionOption = 0.15,
    train_split_name: TrainSplitNamesOption = None,
    val_split_name: ValSplitNameOption = "validation",
    test_split_name: TestSplitNameOption = "test",
    checkpoint_split: CheckpointSplitOption = "validation",
    classes: ClassesOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file to write.")] = Path("split.csv"),
) -> None:
    """Split a dataset and write a CSV file with the columns image_id,split; print sizes and caveats."""
    from rich.console import Console
    from rich.table import Table

    from lesionlens.datasets.registry import load_table
    from lesionlens.datasets.split_names import SplitNames
    from lesionlens.datasets.splits.factory import make_splits

    table = load_table(source, classes=classes)
    splits = make_splits(
        table,
        name=name or "auto",
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=seed,
        n_folds=folds,
        fold=fold,
        split_names=SplitNames.from_options(train_split_name, val_split_name, test_split_name),
        checkpoint_split=checkpoint_split,
    )
    splits.save(out)
    counts = Table("class", *splits.splits, box=None, header_style="bold", pad_edge=False)
    subsets = {split: table.select(ids) for split, ids in splits.splits.items()}
    for name_of_class in table.classes:
        counts.add_row(
            name_of_class, *(f"{rows.class_counts()[name_of_class]:,}" for rows in subsets.values())
        )
    counts.add_row("all", *(f"{len(rows):,}" for rows in subsets.values()), style="bold")
    console = Console()
    console.print(splits.description, highlight=False)
    console.print(counts)
    for caveat in splits.caveats:
        console.print(f"caveat: {caveat.text}", highlight=False, markup=False)
    for reason in sorted({reason for _, reason in splits.excluded}):
        images = sum(other == reason for _, other in splits.excluded)
        console.print(f"excluded: {images:,} images, {reason}", highlight=False, markup=False)
    console.print(f"The split is in {out}", highlight=False, soft_wrap=True)


data_app = typer.Typer(
    help="Validate, split, audit and generate datasets.", no_args_is_help=True, rich_markup_mode=None
)


@data_app.command("validate")
def validate_command(
    source: Annotated[str, typer.Argument(help="NAME:ROOT, or the path of a table or folder.")],
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="LABEL",
            help="A class label of your table, needed if some labels are not known diagnoses. Repeat for each label, "
            "spelled as in the table: --class wart --class nevus.",
        ),
    ] = None,
    headers_only: Annotated[
        bool, typer.Option("--headers-only", help="Read only image headers instead of decoding every image.")
    ] = False,
) -> None:
    """Check a dataset with all its images, and print a summary."""
    from rich.console import Console

    from lesionlens.datasets.registry import load_table
    from lesionlens.datasets.summary import summarize_table

    console = Console()
    table = load_table(source, classes=classes, verify_images=not headers_only)
    console.print(summarize_table(table), highlight=False, markup=False, soft_wrap=True)


@data_app.command("list")
def list_datasets_command() -> None:
    """List the supported dataset layouts with license, citation and source."""
    from rich.console import Console
    from rich.table import Table

    from lesionlens.datasets.registry import DATASETS

    table = Table.grid(padding=(0, 2))
    for name, reader in DATASETS.items():
        table.add_row(name, reader.title, style="bold")
        for kind in ("license", "citation", "url"):
            if text := getattr(reader, kind):
                table.add_row(f"  {kind}", text)
        table.add_row()
    Console().print(table, highlight=False)


data_app.command("audit")(audit_command)
data_app.command("split")(split_command)
data_app.command("generate")(generate_command)
data_app.command("inject-artifact")(inject_artifact_command)
