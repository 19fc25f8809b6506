"""The options of a split, for every command that makes one."""

from typing import Annotated, Literal

import typer

Name = Annotated[
    str | None,
    typer.Option(
        "--split",
        help="official, grouped, kfold, kfold-images, gessert2019, datta2021, or a CSV image_id,part.",
    ),
]
Folds = Annotated[int | None, typer.Option(help="Number of folds.")]
Fold = Annotated[int | None, typer.Option(help="Which fold, from 0.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the split.")]
Validation = Annotated[float, typer.Option(min=0, max=1, help="Share that validates.")]
Test = Annotated[float, typer.Option(min=0, max=1, help="Share that tests.")]
ValidationPart = Annotated[str, typer.Option(help="Name of that part in a CSV.")]
TestPart = Annotated[str, typer.Option(help="Name of that part in a CSV.")]
SelectOn = Annotated[
    Literal["validation", "test"], typer.Option(help="test: the test part validates as well.")
]
Classes = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="LABEL", help="A label of your own table; once for each."),
]
