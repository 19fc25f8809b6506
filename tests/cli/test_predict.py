"""Command ``lesionlens predict``: messages about resuming, unreadable images and interruption."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from lesionlens.cli import main
from lesionlens.core.console import progress_bar
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference import batch as scoring
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import save_model


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["lesionlens", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def save_small_model(folder: Path) -> None:
    torch.manual_seed(0)
    spec = make_model_spec(backbone="test_resnet")
    preprocessing = Preprocessing(input_size=(32, 32))
    save_model(
        folder,
        build_network(spec, 2),
        ModelCard(architecture=spec, classes=("a", "b"), preprocessing=preprocessing),
    )


@pytest.mark.slow
def test_interrupted_prediction_explains_how_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_small_model(Path("b"))
    Path("images").mkdir()
    for number in range(4):
        Image.new("RGB", (40, 40), (number, 9, 99)).save(f"images/{number}.png")
    Path("images/1.png").write_bytes(b"")
    predict_batch, calls = scoring._predict_batch, iter([True, False])

    def predict_first_batch(*given: object) -> object:
        if next(calls):
            return predict_batch(*given)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    arguments = [
        "predict",
        "b",
        "images",
        "-o",
        "p.csv",
        "--batch-size",
        "2",
        "--engine",
        "torch",
        "--num-workers",
        "1",
    ]
    monkeypatch.setattr(scoring, "_predict_batch", predict_first_batch)
    assert run(monkeypatch, *arguments) == 130
    assert "saved in p.csv.partial. Run the same command again to resume" in capsys.readouterr().err
    monkeypatch.setattr(scoring, "_predict_batch", predict_batch)
    assert run(monkeypatch, *arguments) == 1
    output = capsys.readouterr().err
    assert "Resuming: 2 of 4 images are already scored (p.csv.partial)" in output
    assert "3 images scored (torch, fp32): p.csv. Research use only, not a medical device." in output
    assert "1 image could not be read; scores for the other 3 are in p.csv:" in output
    assert "1.png" in output
    assert np.loadtxt("p.csv", delimiter=",", skiprows=1, usecols=0).tolist() == [0, 2, 3]
    assert run(monkeypatch, *arguments, "--engine", "tensorflow") == 2


def test_num_threads_sets_the_compute_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_small_model(Path("b"))
    Image.new("RGB", (40, 40), (1, 9, 99)).save("1.png")
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            assert run(monkeypatch, "predict", "b", "1.png", "--restart", "--num-threads", str(threads)) == 0
            assert torch.get_num_threads() == threads
        assert run(monkeypatch, "predict", "b", "1.png", "--num-threads", "0") == 2
    finally:
        torch.set_num_threads(before)


def test_rate_is_the_recent_rate() -> None:
    now = 0.0
    progress = progress_bar(Console(file=io.StringIO(), force_terminal=True), unit="images")
    progress.get_time = lambda: now
    task = progress.add_task("scoring", total=1000)
    for now, done in ((10.0, 500), (12.0, 520)):  # noqa: B007 - 500 were done before
        progress.update(task, completed=done)
    rate = progress.columns[3]
    assert rate(progress.tasks[0]).plain == "10.0 images/s"  # type: ignore[operator]
