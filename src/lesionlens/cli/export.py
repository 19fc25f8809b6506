"""``lesionlens export``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lesionlens.cli import options
from lesionlens.core.fileio import check_new_dir


def export_command(
    model: options.ModelArgument,
    export_format: Annotated[
        Literal["onnx", "openvino", "torch-export"], typer.Option("--format", help="Format of the export.")
    ] = "onnx",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="New directory; default: the name of the format.")
    ] = None,
    verify_on: Annotated[
        list[str] | None,
        typer.Option(
            help="Images on which to compare with PyTorch in fp32 and bf16: folders, files or tables (NAME:ROOT, a CSV "
            "or parquet file), preferably with labels. Repeatable."
        ),
    ] = None,
    within_root: options.WithinRootOption = False,
) -> None:
    """Export a trained model for use without LesionLens, and verify it against PyTorch first."""
    folder = out or Path(export_format)
    check_new_dir(folder)
    from lesionlens.core.console import activity, make_console, print_line
    from lesionlens.export.export import export
    from lesionlens.export.readme import format_agreement

    console = make_console(stderr=True)
    with activity(console, f"exporting to {export_format}"):
        card = export(model, export_format, folder, verify_on=verify_on or (), within_root=within_root)
    for check in card.numeric_checks:
        name, largest = max(check.max_errors.items(), key=lambda item: item[1])
        print_line(
            console, f"batch of {check.batch_size}: largest difference from PyTorch {largest:.1e} ({name})"
        )
    for result in card.verification:
        print_line(console, format_agreement(result))
    files = ", ".join(sorted(file.name for file in folder.iterdir()))
    print_line(console, f"{folder}: {files}. {card.intended_use}")
