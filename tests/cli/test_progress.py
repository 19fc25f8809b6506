"""Every phase of a command that may take minutes shows its progress."""

from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from typer.testing import CliRunner

from lesionlens.cli import app
from lesionlens.core.console import ProgressLines

from ..helpers.images import write_image, write_lines

PHASES = {  # a function of the phase, and a command that calls it
    "datasets.registry.load_table": ["data audit t.csv", "data split t.csv", "data validate t.csv"],
    "datasets.audit.report.write_duplicate_contact_sheet": ["data audit t.csv -o out"],
    "evaluation.comparison.plots.write_comparison_figure": ["compare p.csv q.csv -o out"],
    "evaluation.evaluate.evaluate": ["evaluate p.csv"],
    "evaluation.plots.write_figures": ["evaluate p.csv -o out"],
    "export.export.export": ["export model"],
    "inference.predict.predict": ["predict model images"],
    "models.saved_model.load_saved_model": ["explain model images", "evaluate-maps model t.csv"],
    "segmentation.evaluate.evaluate_folder": ["segment evaluate masks t.csv"],
    "segmentation.predict.segment_images": ["segment predict model images -o out"],
}


class Reached(Exception):  # noqa: N818 - not an error
    """The phase was reached."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images = [write_image(tmp_path / f"{number}.png", seed=number) for number in range(9)]
    write_lines(
        tmp_path / "t.csv",
        "image,label",
        [f"{path.name},{('nevus', 'melanoma')[n % 2]}" for n, path in enumerate(images)],
    )
    rng = np.random.default_rng(0)
    for name in "pq":
        rows = [f"{n},{('a', 'b')[n % 2]},{x:.3f},{1 - x:.3f}" for n, x in enumerate(rng.random(20))]
        write_lines(tmp_path / f"{name}.csv", "image_id,label,p_a,p_b", rows)


@pytest.mark.parametrize(
    ("function", "command"), [(key, line) for key, lines in PHASES.items() for line in lines]
)
def test_progress_is_shown(function: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[ProgressLines] = []
    start, stop = ProgressLines.start, ProgressLines.stop

    def reach(*_: Any, **__: Any) -> NoReturn:
        raise Reached(shown[0].tasks[0].description)

    monkeypatch.setattr(ProgressLines, "start", lambda bar: (start(bar), shown.append(bar)))
    monkeypatch.setattr(ProgressLines, "stop", lambda bar: (stop(bar), shown.remove(bar)))
    monkeypatch.setattr(f"lesionlens.{function}", reach)
    outcome = CliRunner().invoke(app, command.split())
    assert isinstance(outcome.exception, Reached), (outcome.exception, outcome.output)
    assert shown == []
