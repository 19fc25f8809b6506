"""The command-line interface: one module per command, lazy imports of heavy libraries, one-line errors."""

import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lesionlens import __version__
from lesionlens.cli import (
    calibrate,
    card,
    compare,
    data,
    demo,
    evaluate,
    evaluate_crops,
    evaluate_maps,
    evaluate_ood,
    explain,
    export,
    models,
    predict,
    reproduce,
    segment,
    train,
)
from lesionlens.cli.options import RecipeCommand
from lesionlens.core.encoding import allow_any_encoding, printable
from lesionlens.core.errors import LesionLensError, RunInterrupted
from lesionlens.core.signals import interrupt_on_stop_signals

EXIT_INTERRUPTED = 130  # what shells expect after Ctrl-C


class _RootGroup(TyperGroup):
    """The command ``lesionlens``, which reports unknown commands, Ctrl-C and files that end early in its own words."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments name; suggest ``data validate`` for ``validate``."""
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:  # UsageError is a class of click or of typer, depending on the version
            inside = [
                f"{group} {args[0]}"
                for group, command in self.commands.items()
                if args[0] in getattr(command, "commands", {})
            ]
            if inside:
                error.message = (  # type: ignore[attr-defined]
                    f"No such command '{args[0]}'. Did you mean '{inside[0]}'?"
                )
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise RunInterrupted("interrupted; files that were complete before are unchanged") from stop
        except EOFError as error:
            raise LesionLensError(
                f"a file ends too early ({error}); --debug shows which step reads it. Restore or remove the file"
            ) from error


app = typer.Typer(
    name="lesionlens",
    cls=_RootGroup,
    epilog="All commands accept --debug, which shows the traceback of an error.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
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
    """Train, evaluate and explain attention networks for dermoscopic images.

    Research use only, not a medical device.
    """


app.command("demo")(demo.demo_command)
app.add_typer(data.data_app, name="data")
app.command("models")(models.models_command)
app.command("recipes")(models.recipes_command)
app.command("train", cls=RecipeCommand)(train.train_command)
app.command("predict")(predict.predict_command)
app.command("calibrate")(calibrate.calibrate_command)
app.command("evaluate")(evaluate.evaluate_command)
app.command("compare")(compare.compare_command)
app.command("explain")(explain.explain_command)
app.command("card")(card.card_command)
app.command("export")(export.export_command)
app.command("evaluate-crops")(evaluate_crops.evaluate_crops_command)
app.command("evaluate-maps")(evaluate_maps.evaluate_maps_command)
app.command("evaluate-ood")(evaluate_ood.evaluate_ood_command)
app.command("reproduce", cls=RecipeCommand)(reproduce.reproduce_command)
app.add_typer(segment.segment_app, name="segment")


def main() -> None:
    """Run the command line; exit with 0, 1 (error), 2 (wrong usage) or 130 (interrupted)."""
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    allow_any_encoding()
    interrupt_on_stop_signals()
    _format_warnings()
    try:
        app()
    except LesionLensError as error:
        _exit_with_error(error, str(error), debug)
    except MemoryError as error:
        _exit_with_error(
            error, "Out of memory. Use a smaller train.batch_size, input size or data.max_short_side", debug
        )
    except OSError as error:
        file = f" ({error.filename})" if error.filename else ""
        _exit_with_error(error, f"{error.strerror or error}{file}", debug)
    except Exception as error:  # last resort: users get one line instead of a traceback
        _exit_with_error(
            error,
            f"Unexpected {type(error).__name__}: {error}. This is a bug; --debug shows the traceback",
            debug,
        )


def _exit_with_error(error: BaseException, message: str, debug: bool) -> None:
    if debug:
        raise error
    sys.stderr.write(f"error: {printable(message)}\n")
    raise SystemExit(EXIT_INTERRUPTED if isinstance(error, RunInterrupted) else 1)


def _format_warnings() -> None:
    """Show warnings of this package as one line each, and hide those of libraries."""
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", module="lesionlens")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {printable(str(message))}\n"
