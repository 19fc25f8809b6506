"""``lesionlens data``: validate, list, split, audit and generate datasets."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lesionlens.cli.data_synthetic import generate_command, inject_artifact_command
from lesionlens.cli.options import (
    ClassesOption,
    TableSourceArgument,
    WithinRootOption,
    expand_options,
    out_file,
    out_folder,
)

if TYPE_CHECKING:
    from rich.table import Table

    from lesionlens.datasets.splits.base import DatasetSplits
    from lesionlens.datasets.table import LesionTable

SplitNameOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        help="auto (official splits if there are any, else group_holdout), official, group_holdout, group_kfold, "
        "image_kfold, gessert2019, datta2021, or a CSV file with the columns image_id,split.",
    ),
]


@dataclass(frozen=True)
class SplitOptions:
    """Options of a split except its name."""

    folds: Annotated[int | None, typer.Option(help="Number of folds.")] = None
    fold: Annotated[int | None, typer.Option(help="Index of the fold, from 0.")] = None
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the split.")] = 0
    val_fraction: Annotated[
        float, typer.Option(min=0, max=1, help="Fraction of the lesions for validation.")
    ] = 0.15
    test_fraction: Annotated[float, typer.Option(min=0, max=1, help="Fraction of the lesions for test.")] = (
        0.15
    )
    calibration: Annotated[
        float,
        typer.Option(min=0, max=1, help="Fraction of the training images for calibration, by lesion."),
    ] = 0.0
    train_split_name: Annotated[
        list[str] | None,
        typer.Option(help="Name of a training split in a CSV file; repeat for each. Default: train."),
    ] = None
    val_split_name: Annotated[str, typer.Option(help="Name of the validation split in a CSV file.")] = (
        "validation"
    )
    test_split_name: Annotated[str, typer.Option(help="Name of the test split in a CSV file.")] = "test"
    checkpoint_split: Annotated[
        Literal["validation", "test"],
        typer.Option(help="Split that selects the checkpoint; test is optimistically biased."),
    ] = "validation"

    def split(self, table: "LesionTable", name: str) -> "DatasetSplits":
        """Split a table by the strategy or the file of this name."""
        from lesionlens.datasets.split_names import SplitNames
        from lesionlens.datasets.splits.calibration import hold_out_calibration
        from lesionlens.datasets.splits.factory import make_splits

        splits = make_splits(
            table,
            name=name,
            val_fraction=self.val_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
            n_folds=self.folds,
            fold=self.fold,
            split_names=SplitNames.from_options(
                self.train_split_name, self.val_split_name, self.test_split_name
            ),
            checkpoint_split=self.checkpoint_split,
        )
        return hold_out_calibration(table, splits, self.calibration, seed=self.seed)


@expand_options
def audit_command(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE…", help="NAME:ROOT, or the path of a table or folder.")
    ],
    split: SplitNameOption = None,
    *,
    options: SplitOptions,
    classes: ClassesOption = None,
    artifacts: Annotated[
        Path | None,
        typer.Option(
            help="CSV file with image_id and a column of 0 and 1 per artifact, to test whether rulers, stickers and so "
            "on are associated with a class. Default: artifacts.csv of each dataset."
        ),
    ] = None,
    within_root: WithinRootOption = False,
    out: Annotated[
        Path | None,
        out_folder("Folder for audit.json, duplicates.csv and duplicates.png."),
    ] = None,
) -> None:
    """Check datasets and splits for data leakage, duplicates, label conflicts and shortcuts.

    The split applies to the first source; without --split, its official splits are checked.
    """
    from lesionlens.core.console import make_console, print_line, progress_bar
    from lesionlens.datasets.audit.audit import audit_tables
    from lesionlens.datasets.audit.report import format_audit, write_audit, write_duplicate_contact_sheet
    from lesionlens.datasets.registry import load_table, parse_source

    custom = {source for source in sources if parse_source(source)[0] == "table"}
    stderr = make_console(stderr=True)
    with progress_bar(stderr, unit="images") as progress:
        task = progress.add_task("reading images", total=None)
        tables = [
            load_table(source, classes=classes if source in custom else None, within_root=within_root)
            for source in sources
        ]
        splits = None if split is None else options.split(tables[0], split)
        report = audit_tables(
            tables,
            splits,
            artifact_labels=artifacts,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
        if out is not None:
            write_audit(report, out)
            write_duplicate_contact_sheet(report.duplicates, out / "duplicates.png")
    if out is not None:
        print_line(stderr, f"Results are in {out}")
    make_console().print(format_audit(report))


@expand_options
def split_command(
    source: TableSourceArgument,
    name: SplitNameOption = "auto",
    *,
    options: SplitOptions,
    classes: ClassesOption = None,
    within_root: WithinRootOption = False,
    near_duplicates: Annotated[
        Literal["separate", "merge"],
        typer.Option(help="merge: lesions with duplicate or near-duplicate images are one lesion."),
    ] = "separate",
    out: Annotated[Path, out_file("CSV file to write.")] = Path("split.csv"),
) -> None:
    """Split a dataset and write a CSV file with the columns image_id,split; print sizes and caveats."""
    from lesionlens.core.console import activity, make_console, print_line
    from lesionlens.datasets.near_duplicates import merge_near_duplicates
    from lesionlens.datasets.registry import load_table

    with activity(make_console(stderr=True), "splitting the dataset"):
        table = load_table(source, classes=classes, within_root=within_root)
        if near_duplicates == "merge":
            table = merge_near_duplicates(table)
        splits = options.split(table, name or "auto")
        splits.save(out)
    console = make_console()
    console.print(splits.description)
    console.print(_class_counts(table, splits))
    for caveat in splits.caveats:
        console.print(f"caveat: {caveat.text}")
    reasons = Counter(reason for _, reason in splits.excluded)
    for reason, images in sorted(reasons.items()):
        console.print(f"excluded: {images:,} images, {reason}")
    print_line(console, f"The split is in {out}")


def _class_counts(table: "LesionTable", splits: "DatasetSplits") -> "Table":
    """Return a table of the number of images by class and split."""
    from rich.table import Table

    counts = Table("class", *splits.splits, box=None, header_style="bold", pad_edge=False)
    subsets = [table.select(ids) for ids in splits.splits.values()]
    for name in table.classes:
        counts.add_row(name, *(f"{subset.class_counts()[name]:,}" for subset in subsets))
    counts.add_row("all", *(f"{len(subset):,}" for subset in subsets), style="bold")
    return counts


data_app = typer.Typer(
    help="Validate, split, audit and generate datasets.", no_args_is_help=True, rich_markup_mode=None
)


@data_app.command("validate")
def validate_command(
    source: TableSourceArgument,
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
    within_root: WithinRootOption = False,
) -> None:
    """Check a dataset with all its images, and print a summary."""
    from lesionlens.core.console import activity, make_console
    from lesionlens.datasets.registry import load_table
    from lesionlens.datasets.summary import summarize_table

    console = make_console()
    with activity(make_console(stderr=True), "checking the dataset"):
        table = load_table(source, classes=classes, verify_images=not headers_only, within_root=within_root)
    console.print(summarize_table(table), soft_wrap=True)


@data_app.command("escape-formulas")
def escape_formulas_command(
    file: Annotated[Path, typer.Argument(help="CSV file, for example predictions.csv.")],
    out: Annotated[Path, out_file("CSV file to write.")],
) -> None:
    """Write a copy of a CSV file for a spreadsheet: an apostrophe precedes cells that it would run as formulas.

    These are cells that begin with =, +, -, @, a tab or a carriage return and are not numbers.
    """
    from lesionlens.core.console import make_console, print_line
    from lesionlens.core.formulas import copy_without_formulas
    from lesionlens.datasets.issues import pluralize

    changed = copy_without_formulas(file, out)
    print_line(make_console(), f"{pluralize(changed, 'cell')} changed: {out}")


@data_app.command("list")
def list_datasets_command() -> None:
    """List the supported dataset layouts with license, citation and source."""
    from rich.table import Table

    from lesionlens.core.console import make_console
    from lesionlens.datasets.registry import DATASETS

    table = Table.grid(padding=(0, 2))
    for name, reader in DATASETS.items():
        table.add_row(name, reader.title, style="bold")
        for kind in ("license", "citation", "url"):
            if text := getattr(reader, kind):
                table.add_row(f"  {kind}", text)
        table.add_row()
    make_console().print(table)


data_app.command("audit")(audit_command)
data_app.command("split")(split_command)
data_app.command("generate")(generate_command)
data_app.command("inject-artifact")(inject_artifact_command)
