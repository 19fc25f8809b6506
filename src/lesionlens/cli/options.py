"""Options that several commands have in common."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from lesionlens.core.fileio import check_new_dir, check_writable_dir, check_writable_file


def _checked_before_work(check: Callable[[Path], None]) -> Callable[[Path | None], Path | None]:
    """Return a callback that checks where a command writes while its arguments are parsed, before it reads anything."""

    def callback(path: Path | None) -> Path | None:
        if path is not None:
            check(path)
        return path

    return callback


def out_folder(help: str) -> Any:
    """Return the option ``--out`` for a folder that may exist."""
    return typer.Option("--out", "-o", help=help, callback=_checked_before_work(check_writable_dir))


def report_out(out: Path) -> None:
    """Print where the results of a command are."""
    from lesionlens.core.console import make_console, print_line

    print_line(make_console(stderr=True), f"Results are in {out}", style="dim")


def out_file(help: str, *names: str) -> Any:
    """Return an option for a file to write or replace, ``--out`` by default."""
    names = names or ("--out", "-o")
    return typer.Option(*names, help=help, callback=_checked_before_work(check_writable_file))


def new_folder_argument(help: str) -> Any:
    """Return an argument for a folder that must be new or empty."""
    return typer.Argument(help=help, callback=_checked_before_work(check_new_dir))


ModelArgument = Annotated[
    Path,
    typer.Argument(
        help="Directory of a saved model or of a run; or the name of an installed model, or hf:OWNER/NAME@REVISION."
    ),
]
ImagesArgument = Annotated[
    list[str], typer.Argument(help="Folders, image files, or tables (NAME:ROOT, a CSV or parquet file).")
]
TableSourceArgument = Annotated[str, typer.Argument(help="NAME:ROOT, or the path of a table or folder.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, gpu, or a torch device such as cuda:1.")]
NumThreadsOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Compute threads (default: OMP_NUM_THREADS or one per core). Use 1 on a busy machine."
    ),
]
CropMasksOption = Annotated[
    Path | None, typer.Option(help="Folder of lesion masks ID.png, for a model that crops to the lesion.")
]
WithinRootOption = Annotated[
    bool,
    typer.Option(
        "--within-root",
        help="Reject a table that names files outside its folder, by absolute path, '..' or a link.",
    ),
]
ImageIdsOption = Annotated[
    Literal["name", "path"],
    typer.Option(
        help="IDs of images in folders: file name, or path relative to the folder (for equal names in several)."
    ),
]
TargetClassOption = Annotated[
    str | None, typer.Option(help="Class to explain; default: the predicted class.")
]
ClassesOption = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="LABEL", help="A class label of your table; repeat for each."),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        help="Labels: a table with the columns image,label[,lesion_id,split], or a ground truth of ISIC 2016 to "
        "2019."
    ),
]
SplitOption = Annotated[
    str,
    typer.Option(
        help="Only images of this split, by the column split of --labels or of the predictions. Of runs: test "
        "(default) or validation."
    ),
]
TaskOption = Annotated[
    str, typer.Option(help="all: every class; CLASS: one-vs-rest; CLASS/OTHER: one-vs-one.")
]
OtherClassOption = Annotated[
    str | None,
    typer.Option(
        help="Class for images that belong to none of the target classes, excluded from averages: a class, a label, "
        "or other for all labels that are not a class."
    ),
]
BootstrapSeedOption = Annotated[int, typer.Option(min=0, help="Random seed of the bootstrap.")]
DecisionOption = Annotated[
    Literal["argmax", "isic"],
    typer.Option(help="argmax, or isic: every class with a score above 0.5, as in the ISIC challenges."),
]


class RecipeCommand(TyperCommand):
    """Command with ``KEY=VALUE`` arguments, which names the recipe key if it is passed as an option: ``--epochs 5``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments."""
        try:
            return super().parse_args(ctx, list(args))
        except Exception as error:
            # NoSuchOption is a class of click or of typer, depending on the version
            option = str(getattr(error, "option_name", "") or "")
            keys = _recipe_keys_of_option(option) if option else []
            if keys:
                value = _value_of_option(option, args)
                error.message = (  # type: ignore[attr-defined]
                    f"No such option: {option}. It is a key of the recipe: use "
                    f"{' or '.join(f'{key}={value}' for key in keys)}"
                )
                error.possibilities = None  # type: ignore[attr-defined]
            raise


def _recipe_keys_of_option(option: str) -> list[str]:
    """Return the recipe keys that an option such as ``--epochs`` or ``--train.epochs`` may mean."""
    from lesionlens.runs.keys import recipe_keys
    from lesionlens.runs.load import SHORTHAND_KEYS

    name = option.lstrip("-").replace("-", "_")
    if name in SHORTHAND_KEYS:
        return [name]
    keys = [key.full_name for key in recipe_keys()]
    return [key for key in keys if name in {key, key.rpartition(".")[2]}][:4]


def _value_of_option(option: str, args: list[str]) -> str:
    """Return the value that follows an option, or VALUE."""
    for index, argument in enumerate(args):
        name, equals, value = argument.partition("=")
        if name == option:
            following = value if equals else next(iter(args[index + 1 : index + 2]), "")
            return following if following and not following.startswith("-") else "VALUE"
    return "VALUE"


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take a dataclass of options: it has one command-line option per field, with type and default.

    Typer reads the options from the signature of the returned function, in which the fields replace the dataclass.
    """
    parameters = inspect.signature(command).parameters
    groups: dict[str, Any] = {
        name: item.annotation for name, item in parameters.items() if is_dataclass(item.annotation)
    }

    @wraps(command)
    def expanded(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    flat: list[inspect.Parameter] = []
    for name, item in parameters.items():
        flat += _field_parameters(groups[name]) if name in groups else [item.replace(kind=item.KEYWORD_ONLY)]
    expanded.__annotations__ = {item.name: item.annotation for item in flat}
    expanded.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    return expanded


def _field_parameters(group: Any) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(field.name, kind, default=field.default, annotation=field.type)
        for field in fields(group)
    ]


CoverageOption = Annotated[
    float,
    typer.Option(
        help="Fraction of images whose prediction set should contain their class: 0.8, 0.9 or 0.95."
    ),
]
ClassConditionalOption = Annotated[
    bool,
    typer.Option(
        "--class-conditional",
        help="Prediction sets that reach the coverage for the images of every class; default: for all images together.",
    ),
]
