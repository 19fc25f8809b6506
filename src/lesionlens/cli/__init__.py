"""The command line: one file a command, heavy imports inside the commands, errors as one readable line."""

import sys
import warnings
from typing import Annotated

import typer

from lesionlens import __version__
from lesionlens.cli import (
    attention_quality,
    compare,
    data,
    demo,
    evaluate,
    explain,
    export,
    models,
    predict,
    reproduce,
    segment,
    train,
)
from lesionlens.core.errors import LesionLensError, RunInterrupted

EXIT_INTERRUPTED = 130  # what shells expect after Ctrl-C

app = typer.Typer(
    name="lesionlens",
    epilog="Any command takes --debug: errors then show where they came from.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version_callback(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root_callback(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version_callback, help="Show the version.")
    ] = False,
) -> None:
    """Attention networks for dermoscopy: trained, measured, explained.

    Research use only, not a medical device.
    """


app.command("demo")(demo.demo_command)
app.add_typer(data.data_app, name="data")
app.command("models")(models.models_command)
app.command("recipes")(models.recipes_command)
app.command("train")(train.train_command)
app.command("predict")(predict.predict_command)
app.command("evaluate")(evaluate.evaluate_command)
app.command("compare")(compare.compare_command)
app.command("explain")(explain.explain_command)
app.command("export")(export.export_command)
app.command("evaluate-maps")(attention_quality.evaluate_maps_command)
app.command("reproduce")(reproduce.reproduce_command)
app.add_typer(segment.segment_app, name="segment")


def main() -> None:
    """Run the command line; exit with 0, 1 (an error of ours), 2 (wrong usage) or 130 (interrupted)."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    _format_warnings()
    try:
        app()
    except LesionLensError as error:
        _exit_with_error(error, str(error), debug)
    except MemoryError as error:
        _exit_with_error(
            error, "out of memory: use a smaller train.batch_size, input size or data.max_short_side", debug
        )
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _exit_with_error(error, f"{error.strerror or error}{where}", debug)
    except Exception as error:  # the last line of defence: a person reads a line, not a traceback
        _exit_with_error(
            error, f"unexpected {type(error).__name__}: {error}. This is a bug; --debug shows where", debug
        )


def _exit_with_error(error: BaseException, message: str, debug: bool) -> None:
    if debug:
        raise error
    sys.stderr.write(f"error: {message}\n")
    raise SystemExit(EXIT_INTERRUPTED if isinstance(error, RunInterrupted) else 1)


def _format_warnings() -> None:
    """Show our own warnings as one line each; those of libraries are for developers."""
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", module="lesionlens")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
