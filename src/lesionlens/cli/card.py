"""``lesionlens card``."""

from pathlib import Path
from typing import Annotated

import typer

from lesionlens.cli import options


def card_command(
    run: Annotated[Path, typer.Argument(help="Directory of a run.")],
    statements: Annotated[
        Path | None,
        typer.Option(
            help="Statements of the authors (YAML); default: card.yaml in the run, if there is one."
        ),
    ] = None,
    out: Annotated[
        Path | None, options.out_file("File to write; default: README.md of the saved model in the run.")
    ] = None,
) -> None:
    """Write the model card of a run in the format of Hugging Face, filled from the files of the run.

    The card has the recipe, the splits, the excluded images, every metric with its interval, and tables of the items of
    CLEAR Derm, CLAIM 2024 and TRIPOD+AI. What only the authors can state comes from card.yaml.
    """
    from lesionlens.core.console import make_console, print_line
    from lesionlens.core.errors import RunError
    from lesionlens.core.notice import RESEARCH_USE_NOTICE
    from lesionlens.report.model_card import write_model_card
    from lesionlens.runs.multi_run_dir import MultiRunDir

    if MultiRunDir(run).exists():
        names = sorted(path.parent.parent.name for path in run.glob("*/model/model_card.json"))
        raise RunError(
            f"{run} has several runs, and a card describes one model. Pass the directory of one of them: "
            f"{', '.join(names) or 'none has a model yet'}"
        )
    path = write_model_card(run, statements=statements, out=out)
    print_line(make_console(stderr=True), f"The model card is in {path}. {RESEARCH_USE_NOTICE}")
