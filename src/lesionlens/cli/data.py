"""``lesionlens data``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lesionlens.cli.data_synthetic import generate_command, inject_artifact_command

SplitNameOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        help="official, group_holdout, group_kfold, image_kfold, gessert2019, datta2021, or a CSV image_id,split.",
    ),
]
FoldsOption = Annotated[int | None, typer.Option(help="Number of folds.")]
FoldOption = Annotated[int | None, typer.Option(help="Which fold, from 0.")]
SplitSeedOption = Annotated[int, typer.Option(min=0, help="Of the split.")]
ValFractionOption = Annotated[float, typer.Option(min=0, max=1, help="Share that validates.")]
TestFractionOption = Annotated[float, typer.Option(min=0, max=1, help="Share that tests.")]
ValSplitNameOption = Annotated[str, typer.Option(help="Name of that split in a CSV.")]
TestSplitNameOption = Annotated[str, typer.Option(help="Name of that split in a CSV.")]
CheckpointSplitOption = Annotated[
    Literal["validation", "test"], typer.Option(help="test: the test split validates as well.")
]
ClassesOption = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="LABEL", help="A label of your own table; once for each."),
]


def audit_command(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE…", help="NAME:ROOT, or the path of a table or of a folder.")
    ],
    split: SplitNameOption = None,
    folds: FoldsOption = None,
    fold: FoldOption = None,
    seed: SplitSeedOption = 0,
    val_fraction: ValFractionOption = 0.15,
    test_fraction: TestFractionOption = 0.15,
    val_split_name: ValSplitNameOption = "validation",
    test_split_name: TestSplitNameOption = "test",
    checkpoint_split: CheckpointSplitOption = "validation",
    classes: ClassesOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for audit.json, duplicates.csv and duplicates.png."),
    ] = None,
) -> None:
    """Look for what makes numbers too good: lesions and copies in several splits, label conflicts, shortcuts.

    A split is of the first source; without one its official splits count.
    """
    from rich.console import Console
    from rich.progress import Progress

    from lesionlens.datasets.audit.audit import audit_tables
    from lesionlens.datasets.audit.report import format_audit, write_audit, write_duplicate_contact_sheet
    from lesionlens.datasets.registry import load_table, parse_source
    from lesionlens.datasets.splits.factory import make_splits

    own = {source for source in sources if parse_source(source)[0] == "table"}
    tables = [load_table(source, classes=classes if source in own else None) for source in sources]
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
            val_split_name=val_split_name,
            test_split_name=test_split_name,
            checkpoint_split=checkpoint_split,
        )
    aside = Console(stderr=True)
    with Progress(console=aside, disable=not aside.is_terminal, transient=True) as progress:
        task = progress.add_task("reading", total=sum(map(len, tables)))
        report = audit_tables(tables, splits, progress=lambda done, _: progress.update(task, completed=done))
    Console().print(format_audit(report), highlight=False)
    if out is not None:
        write_audit(report, out)
        write_duplicate_contact_sheet(report.duplicates, out / "duplicates.png")
        aside.print(f"written to {out}", highlight=False, soft_wrap=True)


def split_command(
    source: Annotated[str, typer.Argument(help="NAME:ROOT, or the path of a table or of a folder.")],
    name: SplitNameOption = "group_holdout",
    folds: FoldsOption = None,
    fold: FoldOption = None,
    seed: SplitSeedOption = 0,
    val_fraction: ValFractionOption = 0.15,
    test_fraction: TestFractionOption = 0.15,
    val_split_name: ValSplitNameOption = "validation",
    test_split_name: TestSplitNameOption = "test",
    checkpoint_split: CheckpointSplitOption = "validation",
    classes: ClassesOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The CSV to write.")] = Path("split.csv"),
) -> None:
    """Write which image trains, validates and tests, as a CSV image_id,split; print the sizes and remarks."""
    from rich.console import Console
    from rich.table import Table

    from lesionlens.datasets.registry import load_table
    from lesionlens.datasets.splits.factory import make_splits

    table = load_table(source, classes=classes)
    splits = make_splits(
        table,
        name=name or "group_holdout",
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=seed,
        n_folds=folds,
        fold=fold,
        val_split_name=val_split_name,
        test_split_name=test_split_name,
        checkpoint_split=checkpoint_split,
    )
    splits.save(out)
    counts = Table("class", *splits.splits, box=None, header_style="bold", pad_edge=False)
    subsets = {split: table.select(ids) for split, ids in splits.splits.items()}
    for each in table.classes:
        counts.add_row(each, *(f"{rows.class_counts()[each]:,}" for rows in subsets.values()))
    counts.add_row("all", *(f"{len(rows):,}" for rows in subsets.values()), style="bold")
    console = Console()
    console.print(splits.description, highlight=False)
    console.print(counts)
    for caveat in splits.caveats:
        console.print(f"caveat: {caveat}", highlight=False, markup=False)
    for reason in sorted({reason for _, reason in splits.excluded}):
        images = sum(why == reason for _, why in splits.excluded)
        console.print(f"excluded: {images:,} images, {reason}", highlight=False, markup=False)
    console.print(f"written to {out}", highlight=False, soft_wrap=True)


data_app = typer.Typer(
    help="Look at data sets before training on them.", no_args_is_help=True, rich_markup_mode=None
)


@data_app.command("validate")
def validate_command(
    source: Annotated[str, typer.Argument(help="NAME:ROOT, or the path of a table or of a folder.")],
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="LABEL",
            help="A label of your own table, where not all of its labels are diagnoses that are known; "
            "once for each label, as it is written there: --class wart --class nevus.",
        ),
    ] = None,
    headers_only: Annotated[bool, typer.Option("--headers-only", help="Do not decode every image.")] = False,
) -> None:
    """Read a data set, check it and every image in it, and print what it holds."""
    from rich.console import Console

    from lesionlens.datasets.registry import load_table
    from lesionlens.datasets.summary import summarize_table

    console = Console()
    table = load_table(source, classes=classes, verify_images=not headers_only)
    console.print(summarize_table(table), highlight=False, markup=False, soft_wrap=True)


@data_app.command("list")
def list_datasets_command() -> None:
    """List the layouts that can be read, with license, citation and source."""
    from rich.console import Console
    from rich.table import Table

    from lesionlens.datasets.registry import DATASETS

    table = Table.grid(padding=(0, 2))
    for name, record in DATASETS.items():
        table.add_row(name, record.title, style="bold")
        for kind in ("license", "citation", "url"):
            if text := getattr(record, kind):
                table.add_row(f"  {kind}", text)
        table.add_row()
    Console().print(table, highlight=False)


data_app.command("audit")(audit_command)
data_app.command("split")(split_command)
data_app.command("generate")(generate_command)
data_app.command("inject-artifact")(inject_artifact_command)
