"""Run the commands and Python blocks of the documentation, reduced to a budget of seconds."""

import contextlib
import io
import re
import shlex
import sys
import warnings
from collections.abc import Iterable
from glob import glob
from itertools import takewhile
from typing import NamedTuple

from lesionlens import cli
from lesionlens.runs.load import load_recipe


class Replacement(NamedTuple):
    """What a shown text contains, what runs instead, and why."""

    pattern: str
    text: str
    reason: str


REPLACED = (
    Replacement(r"^(\.venv/bin/)?lesionlens ", "", "runs in this process"),
    Replacement(r"^make demo$", "demo", "make would install the package first"),
    Replacement(r"(?<![\w.])/data/", "data/", "folder of the test"),
    Replacement(r"(--weights )imagenet\b", r"\1none", "would be downloaded"),
    Replacement(r"--images 600\b", "--images 60", "a minute"),
    Replacement(r"num_repeats=5\b", "num_repeats=2", "minutes"),
    Replacement(r"^(segment train (?!--resume).*)", r"\1 --epochs 1 --size 64 64 --batch-size 4", "hours"),
    Replacement(
        r"^(reproduce .*--(dry-run|write-slurm).*)", r"\1 --profile smoke", "times paper networks for minutes"
    ),
    Replacement(
        r"^reproduce --profile smoke$", "reproduce arl/table5 --profile smoke --dry-run", "ten minutes"
    ),
    Replacement(
        r"^(reproduce patch/table2 --dataset \S+)$",
        r"\1 --profile smoke --rows 'Dense121, End Attention' --yes",
        "days",
    ),
    Replacement(
        r"^(reproduce (?!.*--(list|dry-run|write-slurm|yes)).*)", r"\1 --profile smoke --dry-run", "days"
    ),
    Replacement(r"^demo$", "demo --epochs 1", "minutes"),
    Replacement(r"^demo --images 300 --epochs 3$", "demo --images 300 --epochs 1", "minutes"),
)
TINY_TRAINING = (
    ("train.epochs=1", "hours"),
    ("train.batch_size=8", "a batch that small datasets fill"),
    ("train.num_workers=0", "processes that import torch again"),
    ("model.input_size=64", "hours"),
    ("data.max_short_side=72", "size of the synthetic images"),
)
ONE_FOLD = "fold=0"  # in place of the recipe's three or five folds, unless the command itself asks for folds
NO_DOWNLOAD = "model.weights=none"  # in place of imagenet
MAX_CROPS = 2  # per image, in place of up to 60
REPLACED_IN_PYTHON = (
    Replacement(r"(?<![\w.])/data/", "data/", "folder of the test"),
    Replacement(r'weights="imagenet"', 'weights="none"', "would be downloaded"),
    Replacement(r"(lesionlens\.train\([^\]]*)\]", r"\1, *TINY_TRAINING]", "hours"),
    Replacement(r"epochs=20\)", "epochs=1, batch_size=4, input_size=(64, 64))", "hours"),
    Replacement(r'(Path\("biased"\), )num_images=1000', r"\1num_images=56, size=(72, 96)", "a minute"),
    Replacement(r"\b224, 224\b", "64, 64", "input size of the small models"),
)


class Result(NamedTuple):
    """Exit code and output of a command or block."""

    code: int
    out: str
    err: str


def words_of(command: str) -> list[str]:
    """Return the arguments of a shown command, reduced to seconds of computation."""
    for pattern, text, _ in REPLACED:
        command = re.sub(pattern, text, command)
    words = [name for word in shlex.split(command) for name in (sorted(glob(word)) or [word])]
    if words[0] == "train" and "--resume" not in words:
        words += _tiny_training(words)
    return words


def _tiny_training(words: list[str]) -> list[str]:
    overrides = [word for word in words[2:] if re.match(r"[a-z_.]+=", word)]
    recipe = load_recipe(words[1], overrides)
    reduced = [override for override, _ in TINY_TRAINING]
    if recipe.model.weights == "imagenet":
        reduced.append(NO_DOWNLOAD)
    if recipe.n_folds and recipe.fold is None and "n_folds" not in " ".join(words):
        reduced.append(ONE_FOLD)
    reduced += [
        f"crops.{split}.count={MAX_CROPS}"
        for split in ("train", "test")
        if getattr(recipe.crops, split).count > MAX_CROPS
    ]
    return reduced + ["train.passes_per_epoch=1"] * (recipe.train.passes_per_epoch > 1)


def run_command(words: list[str]) -> Result:
    """Run the command line in this process, with its own format of warnings."""
    out, err, saved = io.StringIO(), io.StringIO(), (sys.argv, warnings.formatwarning)
    sys.argv, code = ["lesionlens", *words], 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            cli.main()
    except SystemExit as left:
        code = int(left.code or 0)
    finally:
        sys.argv, warnings.formatwarning = saved
    return Result(code, out.getvalue(), err.getvalue())


def run_python(source: str, variables: dict[str, object]) -> None:
    """Execute a Python block of a page."""
    for pattern, text, _ in REPLACED_IN_PYTHON:
        source = re.sub(pattern, text, source)
    variables |= {"TINY_TRAINING": [override for override, _ in TINY_TRAINING]}
    saved, sys.argv, output = sys.argv, ["example.py"], io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            exec(compile(source, "documentation", "exec"), variables)
    finally:
        sys.argv = saved


def missing_output(shown: tuple[str, ...], actual: str) -> list[str]:
    """Return the parts of a shown output, between lines with an ellipsis, that are not in the output in this order.

    Numbers, rules of tables and line breaks may differ.
    """
    text, position, missing = _mask(actual), 0, []
    for part in re.split(r"^…$", "\n".join(shown), flags=re.M):
        masked = _mask(part)
        start = text.find(masked, position)
        if start < 0:
            missing.append(part)
        else:
            position = start + len(masked)
    return missing


def missing_labels(shown: tuple[str, ...], actual: str) -> list[str]:
    """Return the labels of shown lines above the notes that are not in the output in this order.

    For output about a small dataset and a tiny training: its numbers and notes differ.
    """
    others = iter(_labels(actual.splitlines()))
    return [label for label in _labels(shown) if not any(other.startswith(label) for other in others)]


def _labels(lines: Iterable[str]) -> list[str]:
    """Return the text before the first gap or colon of each line above the notes."""
    above = takewhile(lambda line: not line.startswith("Note:"), lines)
    return [
        _mask(re.split(r"\s{2,}|: ", line.strip())[0]) for line in above if re.search(r"\S(\s{2,}|: )", line)
    ]


def _mask(text: str) -> str:
    """Mask numbers and the folder before an ellipsis, and join lines."""
    text = re.sub(r":\S*/(?=biased/)", ":…/", text.replace("─", ""))
    return re.sub(r"\s+", " ", re.sub(r"[+−-]?\d[\d,.]*", "0", text)).strip()
