"""What is asked of predictions: the options of every command that measures them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

LabelsOption = Annotated[
    Path | None,
    typer.Option(help="Labels: a table image,label[,lesion_id], or an ISIC ground truth."),
]
TaskOption = Annotated[
    str, typer.Option(help="all, CLASS (against the rest), or CLASS/OTHER (of the images of these two).")
]
OtherClassOption = Annotated[
    str | None,
    typer.Option(help="Class of images that are none of those asked about; averages leave it out."),
]
BootstrapSeedOption = Annotated[int, typer.Option(min=0, help="Of the bootstrap.")]
DecisionOption = Annotated[
    Literal["argmax", "isic"],
    typer.Option(help="argmax, or isic: every score above 0.5, as ISIC scores."),
]
