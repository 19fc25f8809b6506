"""Options shared by the commands that evaluate predictions."""

from pathlib import Path
from typing import Annotated, Literal

import typer

LabelsOption = Annotated[
    Path | None,
    typer.Option(
        help="Labels: a table with the columns image,label[,lesion_id], or an ISIC ground-truth file."
    ),
]
TaskOption = Annotated[
    str, typer.Option(help="all classes, CLASS (one-vs-rest), or CLASS/OTHER (one-vs-one).")
]
OtherClassOption = Annotated[
    str | None,
    typer.Option(help="Class for images that belong to none of the target classes; excluded from averages."),
]
BootstrapSeedOption = Annotated[int, typer.Option(min=0, help="Random seed of the bootstrap.")]
DecisionOption = Annotated[
    Literal["argmax", "isic"],
    typer.Option(help="argmax, or isic: every class with a score above 0.5, as in the ISIC challenges."),
]
