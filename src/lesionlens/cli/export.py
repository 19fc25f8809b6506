"""``lesionlens export``."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def export_command(
    model: Annotated[Path, typer.Argument(help="A saved model's folder, or a run's.")],
    export_format: Annotated[
        Literal["onnx", "openvino", "torch-export"], typer.Option("--format", help="The format.")
    ] = "onnx",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A new folder; default: the format's name.")
    ] = None,
    verify_on: Annotated[
        list[str] | None,
        typer.Option(
            help="Images to compare with torch, in fp32 and bf16: folders, files or tables (NAME:ROOT, a CSV or "
            "parquet), best with labels; give it once for each."
        ),
    ] = None,
) -> None:
    """Write a trained network for use without LesionLens; it is compared with torch before it is kept."""
    from rich.console import Console

    from lesionlens.export.export import export
    from lesionlens.export.readme import format_agreement

    folder = out or Path(export_format)
    card = export(model, export_format, folder, verify_on=verify_on or ())
    console = Console(stderr=True)
    for each in card.numeric_checks:
        name, largest = max(each.max_errors.items(), key=lambda item: item[1])
        console.print(
            f"batch of {each.batch_size}: at most {largest:.1e} from torch ({name})", highlight=False
        )
    for found in card.verification:
        console.print(format_agreement(found), highlight=False, soft_wrap=True)
    console.print(
        f"{folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}. {card.intended_use}",
        highlight=False,
        soft_wrap=True,
    )
