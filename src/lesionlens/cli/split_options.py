"""The options of a split, for every command that makes one."""

from typing import Annotated, Literal

import typer

SplitNameOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        help="official, grouped, kfold, kfold-images, gessert2019, datta2021, or a CSV image_id,part.",
    ),
]
FoldsOption = Annotated[int | None, typer.Option(help="Number of folds.")]
FoldOption = Annotated[int | None, typer.Option(help="Which fold, from 0.")]
SplitSeedOption = Annotated[int, typer.Option(min=0, help="Of the split.")]
ValFractionOption = Annotated[float, typer.Option(min=0, max=1, help="Share that validates.")]
TestFractionOption = Annotated[float, typer.Option(min=0, max=1, help="Share that tests.")]
ValSplitNameOption = Annotated[str, typer.Option(help="Name of that part in a CSV.")]
TestSplitNameOption = Annotated[str, typer.Option(help="Name of that part in a CSV.")]
CheckpointSplitOption = Annotated[
    Literal["validation", "test"], typer.Option(help="test: the test part validates as well.")
]
ClassesOption = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="LABEL", help="A label of your own table; once for each."),
]
