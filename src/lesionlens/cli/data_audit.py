"""``lesionlens data audit``."""

from pathlib import Path
from typing import Annotated

import typer

from lesionlens.cli import split_options as of_split


def audit_command(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE…", help="NAME:ROOT, or the path of a table or of a folder.")
    ],
    split: of_split.SplitNameOption = None,
    folds: of_split.FoldsOption = None,
    fold: of_split.FoldOption = None,
    seed: of_split.SplitSeedOption = 0,
    val_fraction: of_split.ValFractionOption = 0.15,
    test_fraction: of_split.TestFractionOption = 0.15,
    val_split_name: of_split.ValSplitNameOption = "validation",
    test_split_name: of_split.TestSplitNameOption = "test",
    checkpoint_split: of_split.CheckpointSplitOption = "validation",
    classes: of_split.ClassesOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for audit.json, pairs.csv and pairs.png."),
    ] = None,
) -> None:
    """Look for what makes numbers too good: lesions and copies in several parts, label conflicts, shortcuts.

    A split is of the first source; without one its official parts count.
    """
    from rich.console import Console
    from rich.progress import Progress

    from lesionlens.data.audit import audit_tables as look
    from lesionlens.data.audit.pair_sheet import write_duplicate_contact_sheet
    from lesionlens.data.audit.report import format_audit, write_audit
    from lesionlens.data.datasets import load_table, parse_source
    from lesionlens.data.splits import make_splits

    own = {source for source in sources if parse_source(source)[0] == "table"}
    tables = [load_table(source, classes=classes if source in own else None) for source in sources]
    made = None
    if split is not None:
        made = make_splits(
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
        line = progress.add_task("reading", total=sum(map(len, tables)))
        found = look(tables, made, progress=lambda done, _: progress.update(line, completed=done))
    Console().print(format_audit(found), highlight=False)
    if out is not None:
        write_audit(found, out)
        write_duplicate_contact_sheet(found.duplicates, out / "pairs.png")
        aside.print(f"written to {out}", highlight=False, soft_wrap=True)
