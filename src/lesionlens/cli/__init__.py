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
    recipes,
    reproduce,
    segment,
    train,
)
from lesionlens.errors import InterruptedRunError, LesionLensError

INTERRUPTED = 130  # what shells expect after Ctrl-C

app = typer.Typer(
    name="lesionlens",
    epilog="Any command takes --debug: errors then show where they came from.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def lesionlens(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Show the version.")
    ] = False,
) -> None:
    """Attention networks for dermoscopy: trained, measured, explained.

    Research use only, not a medical device.
    """


app.command("demo")(demo.demo)
app.add_typer(data.app, name="data")
app.command("models")(models.models)
app.command("recipes")(recipes.recipes)
app.command("train")(train.train)
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("explain")(explain.explain)
app.command("export")(export.export)
app.command("attention-quality")(attention_quality.attention_quality)
app.command("reproduce")(reproduce.reproduce)
app.add_typer(segment.app, name="segment")


def main() -> None:
    """Run the command line; exit with 0, 1 (an error of ours), 2 (wrong usage) or 130 (interrupted)."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    _speak_plainly()
    try:
        app()
    except LesionLensError as error:
        _end(error, str(error), debug)
    except MemoryError as error:
        _end(error, "out of memory: use a smaller train.batch_size, input size or data.shorter_side", debug)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _end(error, f"{error.strerror or error}{where}", debug)
    except Exception as error:  # the last line of defence: a person reads a line, not a traceback
        _end(error, f"unexpected {type(error).__name__}: {error}. This is a bug; --debug shows where", debug)


def _end(error: BaseException, message: str, debug: bool) -> None:
    if debug:
        raise error
    sys.stderr.write(f"error: {message}\n")
    raise SystemExit(INTERRUPTED if isinstance(error, InterruptedRunError) else 1)


def _speak_plainly() -> None:
    """Show our own warnings as one line each; those of libraries are for developers."""
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", module="lesionlens")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
