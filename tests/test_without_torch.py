"""What works without torch: floors that do not import it, and commands on files of predictions."""

import subprocess
import sys
from pathlib import Path

import pytest

from lesionlens.evaluation.predictions_io import write_predictions

from .helpers.random_predictions import random_predictions

FLOORS = ("core", "imaging", "datasets", "samples", "evaluation", "uncertainty", "report")
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "timm", "lightning"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
"""
IMPORT_ALL = """
import importlib, pkgutil
for floor in {floors}:
    package = importlib.import_module(f"lesionlens.{{floor}}")
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
for name in ("inference.predict", "inference.exported_model", "models.model_names"):
    importlib.import_module(f"lesionlens.{{name}}")
"""


READ_SAMPLE = """
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.samples import sample_files
preprocessing = Preprocessing(max_short_side=100, input_size=(64, 64))
image = preprocessing.load_image(sample_files()[0])
assert image.shape == (100, 100, 3), image.shape
assert preprocessing.extract_crops(image).shape == (1, 64, 64, 3)
"""
COMMANDS = (
    "models",
    "evaluate a.csv --bootstrap-samples 10",
    "compare a.csv b.csv --bootstrap-samples 10 --metric accuracy",
    "calibrate a.csv --out calibration.json",
)
RUN_COMMANDS = """
from lesionlens.cli import main
for command in sys.argv[1:]:
    sys.argv[1:] = command.split()
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, command
"""


def run_without_torch(source: str, *arguments: str) -> None:
    command = [sys.executable, "-c", BLOCKER + source, *arguments]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, process.stderr


def test_floors_import_no_torch() -> None:
    run_without_torch(IMPORT_ALL.format(floors=FLOORS) + READ_SAMPLE)


def test_commands_on_predictions_need_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for digits, name in enumerate("ab", start=1):
        write_predictions(tmp_path / f"{name}.csv", random_predictions(60, digits=digits))
    run_without_torch(RUN_COMMANDS, *COMMANDS)
    assert (tmp_path / "calibration.json").is_file()
