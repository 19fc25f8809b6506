"""``lesionlens data audit``."""

from pathlib import Path
from typing import Annotated

import typer

from lesionlens.cli import split_options as of_split


def audit(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE…", help="NAME:ROOT, or the path of a table or of a folder.")
    ],
    split: of_split.Name = None,
    folds: of_split.Folds = None,
    fold: of_split.Fold = None,
    seed: of_split.Seed = 0,
    validation: of_split.Validation = 0.15,
    test: of_split.Test = 0.15,
    validation_part: of_split.ValidationPart = "validation",
    test_part: of_split.TestPart = "test",
    select_on: of_split.SelectOn = "validation",
    classes: of_split.Classes = None,
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

    from lesionlens.data.audit import audit as look
    from lesionlens.data.audit.pair_sheet import write_pair_sheet
    from lesionlens.data.audit.report import audit_text, write_audit
    from lesionlens.data.datasets import load_table, resolved
    from lesionlens.data.splits import make_split

    own = {source for source in sources if resolved(source)[0] == "table"}
    tables = [load_table(source, classes=classes if source in own else None) for source in sources]
    made = None
    if split is not None:
        made = make_split(
            tables[0],
            name=split,
            validation=validation,
            test=test,
            seed=seed,
            folds=folds,
            fold=fold,
            validation_part=validation_part,
            test_part=test_part,
            select_on=select_on,
        )
    aside = Console(stderr=True)
    with Progress(console=aside, disable=not aside.is_terminal, transient=True) as progress:
        line = progress.add_task("reading", total=sum(map(len, tables)))
        found = look(tables, made, progress=lambda done, _: progress.update(line, completed=done))
    Console().print(audit_text(found), highlight=False)
    if out is not None:
        write_audit(found, out)
        write_pair_sheet(found.copies, out / "pairs.png")
        aside.print(f"written to {out}", highlight=False, soft_wrap=True)
