"""Resuming interrupted predictions: the same file as without interruption, never scores of two models."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lesionlens.core.errors import DataError, PredictionsError, RunError, RunInterrupted
from lesionlens.core.fileio import output_lock
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference import engines
from lesionlens.inference import predict as predicting
from lesionlens.inference.engine import InferenceEngine
from lesionlens.inference.engines import open_engine
from lesionlens.inference.predict import predict
from lesionlens.inference.results import ImageResult
from lesionlens.inference.resume import PartialPredictions, Provenance, partial_path
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import load_saved_model, save_model

ORIGIN = Provenance(model="a", engine="torch", precision="fp32", device="cpu", decoder="d")
ROWS = [[ImageResult(f"é{line}{n}", "m", [0.1, 1 / 3]) for n in range(2)] for line in range(3)]


def write_model(folder: Path, *, seed: int = 1, roi: float | None = 0.2) -> Path:
    """Save an untrained network of two classes that uses the box around the lesion."""
    torch.manual_seed(seed)
    made = make_model_spec(backbone="test_resnet")
    card = ModelCard(
        architecture=made,
        classes=("a", "b"),
        preprocessing=Preprocessing(input_size=(32, 32), roi_margin=roi),
    )
    save_model(folder, build_network(made, 2), card)
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with a network and eleven images; the third and the last are damaged."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "bundle")
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(11):
        file = tmp_path / "images" / f"{number:02d}.png"
        Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(file)
    for number in (2, 10):
        (tmp_path / "images" / f"{number:02d}.png").write_bytes(b"\x89PNG, or not")
    return tmp_path


def stop(done: int, total: int, *, at: int, error: BaseException) -> None:
    if done >= at:
        raise error


score = partial(predict, "bundle", ["images"], out=Path("p.csv"), batch_size=3)
some = pytest.mark.filterwarnings("ignore:.*used uncropped")


@some
@pytest.mark.parametrize("at", [0, 6, 11])
def test_interrupted_prediction_resumes_to_the_same_file(here: Path, at: int) -> None:
    uninterrupted = score()
    expected = Path("p.csv").read_bytes()
    assert not partial_path(Path("p.csv")).exists()
    Path("p.csv").unlink()
    with pytest.raises(ZeroDivisionError):
        score(on_progress=partial(stop, at=at, error=ZeroDivisionError()))
    assert not Path("p.csv").exists()
    calls: list[tuple[int, int]] = []
    again = score(on_progress=lambda *counts: calls.append(counts))
    assert calls[0] == (at, 11)
    assert calls[-1] == (11, 11)
    assert again.num_resumed == at
    assert Path("p.csv").read_bytes() == expected
    assert again.failures == uninterrupted.failures
    assert (
        again.missing_mask_ids
        == uninterrupted.missing_mask_ids
        == tuple(f"{number:02d}" for number in range(10) if number != 2)
    )
    assert "02.png" in again.failures[0]
    assert sorted(file.name for file in here.iterdir()) == ["bundle", "images", "p.csv"]


@some
def test_ctrl_c_keeps_scores_and_explains_how_to_resume(here: Path) -> None:
    with pytest.raises(
        RunInterrupted, match=r"saved in p\.csv\.partial\. Run the same command again .*--restart"
    ):
        score(on_progress=partial(stop, at=6, error=KeyboardInterrupt()))
    assert score(restart=True).num_resumed == 0
    with pytest.raises(RunInterrupted):
        score(on_progress=partial(stop, at=6, error=KeyboardInterrupt()))
    assert score(output_format="lesionlens").num_resumed == 6


@some
def test_scores_of_another_model_are_not_resumed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunInterrupted):
        score(on_progress=partial(stop, at=6, error=KeyboardInterrupt()))
    left = partial_path(Path("p.csv")).read_bytes()
    write_model(here / "weights", seed=2)
    write_model(here / "card", roi=0.3)
    for name in ("weights", "card"):
        with pytest.raises(
            PredictionsError, match=r"p\.csv\.partial holds scores of another model .*never mixed.*--restart"
        ):
            predict(name, ["images"], out=Path("p.csv"))
    with pytest.raises(PredictionsError, match="scores of precision fp32, not bf16"):
        score(precision="bf16")
    with pytest.raises(PredictionsError, match="scores of engine torch, not openvino"):
        score(engine="openvino")
    with monkeypatch.context() as other_libraries:
        other_libraries.setattr(predicting, "decoder_version", lambda: "Pillow 99")
        with pytest.raises(PredictionsError, match=r"scores of decoder pixels .*, not Pillow 99"):
            score()
    assert partial_path(Path("p.csv")).read_bytes() == left
    expected = predict("weights", ["images"], out=Path("q.csv")).predictions.scores
    restarted = predict("weights", ["images"], out=Path("p.csv"), restart=True)
    assert restarted.num_resumed == 0
    np.testing.assert_array_equal(restarted.predictions.scores, expected)


@some
def test_partial_file_without_scores_is_ignored(here: Path) -> None:
    with pytest.raises(RunInterrupted):
        score(on_progress=partial(stop, at=6, error=KeyboardInterrupt()))
    part = partial_path(Path("p.csv"))
    first, *_ = part.read_bytes().splitlines(keepends=True)
    for nothing in (first, first + b'[["cut off'):
        part.write_bytes(nothing)
        write_model(here / "other", seed=2)
        assert predict("other", ["images"], out=Path("p.csv")).num_resumed == 0


@some
def test_changed_images_are_scored_again(here: Path) -> None:
    with pytest.raises(RunInterrupted):
        score(on_progress=partial(stop, at=6, error=KeyboardInterrupt()))
    shutil.copy("images/08.png", "images/02.png")  # the image was damaged
    shutil.copy("images/08.png", "images/03.png")
    shutil.copy("images/08.png", "images/00_new.png")
    Path("images/04.png").unlink()
    again = score()
    assert again.num_resumed == 3  # of six scored images two changed and one is missing
    fresh = predict("bundle", ["images"], batch_size=3)
    assert again.predictions.image_id.tolist() == fresh.predictions.image_id.tolist()
    np.testing.assert_allclose(again.predictions.scores, fresh.predictions.scores, atol=1e-5)
    assert len(again.failures) == 1


@some
def test_changed_masks_count_as_changed_images(here: Path) -> None:
    mask = np.zeros((40, 50), np.uint8)
    mask[5:25, 10:30] = 255
    (here / "masks").mkdir()
    with pytest.raises(RunInterrupted):
        score(mask_dir=here / "masks", on_progress=partial(stop, at=6, error=KeyboardInterrupt()))
    Image.fromarray(mask).save("masks/01.png")
    assert score(mask_dir=here / "masks").num_resumed == 5


def rename_engine(engine: InferenceEngine, name: str, counts: list[int]) -> InferenceEngine:
    """Return torch's engine under another name; each pass adds its images to the last count."""

    def forward(x: Any) -> Any:
        counts[-1] += len(x)
        return engine.forward(x)

    return replace(engine, name=name, forward=forward)


@some
def test_choices_of_auto_are_resumed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    counts: list[int] = []

    def choose(loaded: Any, name: str, **options: Any) -> InferenceEngine:
        names.append("openvino" if name == "auto" and not names else name)
        counts.append(0)
        return rename_engine(open_engine(loaded, "torch", **options), names[-1], counts)

    monkeypatch.setattr(engines, "open_engine", choose)
    with pytest.raises(RunInterrupted):
        score(on_progress=partial(stop, at=6, error=KeyboardInterrupt()))
    assert score().num_resumed == 6
    assert names == ["openvino", "openvino"]
    assert counts == [5, 4]  # usable images among the first six and among the other five


@some
def test_unwritable_output_raises_before_the_first_image(here: Path) -> None:
    def never(done: int, total: int) -> None:
        pytest.fail("scored")

    with pytest.raises(PredictionsError, match="the ISIC 2018 format has the classes"):
        score(output_format="isic2018", on_progress=never)
    for name in ("p.parquet", "p.XLSX", "p.json"):
        with pytest.raises(PredictionsError, match=r"written as CSV, not as \.\w+\. Pass p\.csv"):
            score(out=here / name, on_progress=never)
    with pytest.raises(PredictionsError, match=r"images is a folder\. Pass the name of a file"):
        score(out=here / "images", on_progress=never)
    with (
        output_lock(here / "p.csv"),
        pytest.raises(RunError, match=r"another process is writing .*p\.csv; wait"),
    ):
        score(on_progress=never)
    partial_path(Path("p.csv")).write_text("my notes\n")
    with pytest.raises(PredictionsError, match=r"not a valid partial result\. Delete it"):
        score(on_progress=never)
    assert partial_path(Path("p.csv")).read_text() == "my notes\n"


@some
def test_nothing_is_written_outside_the_folder_of_the_output(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process would leave files in the system's folder for temporary files, which no later one removes."""
    monkeypatch.setattr("tempfile.tempdir", str(here / "missing"))
    score()
    assert Path("p.csv").is_file()


def test_no_file_is_left_if_no_image_can_be_read(here: Path) -> None:
    for number in (number for number in range(11) if number not in (2, 10)):
        (here / "images" / f"{number:02d}.png").unlink()
    with pytest.raises(DataError, match="No image can be read"):
        score()
    assert sorted(file.name for file in here.iterdir()) == ["bundle", "images"]


def test_non_finite_scores_raise_immediately(here: Path) -> None:
    loaded = load_saved_model("bundle")
    with torch.no_grad():
        next(loaded.model.parameters()).fill_(torch.nan)
    save_model(here / "bundle", loaded.model, loaded.card)
    with pytest.raises(PredictionsError, match=r"scores that are not finite numbers, for 00, 01\. Check"):
        score()


def test_changed_line_and_the_rest_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "p.csv.partial"
    with PartialPredictions(path, ORIGIN, overwrite=True) as part:
        for rows in ROWS:
            part.add(rows)
    lines = path.read_bytes().splitlines(keepends=True)
    for position in range(0, len(lines[2]), 3):
        changed = bytearray(lines[2])
        changed[position] ^= 1
        path.write_bytes(b"".join([*lines[:2], changed, *lines[3:]]))
        with PartialPredictions(path, ORIGIN, overwrite=False) as part:
            assert list(part.read_results()) == [ImageResult(*row) for row in ROWS[0]]


def test_truncated_last_line_is_dropped_and_the_rest_resumed(tmp_path: Path) -> None:
    path = tmp_path / "p.csv.partial"
    with PartialPredictions(path, ORIGIN, overwrite=True) as part:
        ends = [path.stat().st_size]
        for rows in ROWS:
            part.add(rows)
            ends.append(path.stat().st_size)
    content = path.read_bytes()
    for length, tail in product(
        [length for end in ends[1:] for length in (end - 30, end - 1, end)], (b"", b"\0" * 9, b"[[1]]\n")
    ):
        complete = sum(end <= length for end in ends) - 1
        path.write_bytes(content[:length] + tail)
        with PartialPredictions(path, ORIGIN, overwrite=False) as part:
            assert list(part.read_results()) == [
                ImageResult(*row) for rows in ROWS[:complete] for row in rows
            ]
            part.add(ROWS[2])
            assert list(part.read_results())[-2:] == ROWS[2]
        assert path.read_bytes() == content[: ends[complete]] + content[ends[2] : ends[3]]


@pytest.mark.parametrize("length", [0, 7])  # of a first, short write
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "No space left on device.*Free some space"),
        (errno.EFBIG, "File too large.*limit on the size"),
    ],
)
def test_failed_write_names_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str, length: int
) -> None:
    lengths = [length] * bool(length)

    class Full:
        def write(self, line: bytes) -> int:
            if not lengths:
                raise OSError(code, os.strerror(code))
            return lengths.pop()

        def close(self) -> None: ...

    with PartialPredictions(tmp_path / "p.csv.partial", ORIGIN, overwrite=True) as part:
        part._stream.close()
        monkeypatch.setattr(part, "_stream", Full())
        with pytest.raises(RunError, match=rf"cannot write .*p\.csv\.partial: {message}"):
            part.add(ROWS[0])


SLOW_PREDICTION = """
import sys, time
from pathlib import Path
from lesionlens.inference.predict import predict
predict("bundle", ["images"], out=Path("p.csv"), batch_size=2, on_progress=lambda *_: time.sleep(0.3))
"""


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Use one thread, as the other process: the order of additions depends on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@some
def test_next_process_resumes_a_killed_one(here: Path, one_thread: None) -> None:
    score(batch_size=2)
    expected = Path("p.csv").read_bytes()
    Path("p.csv").unlink()
    first = kill_after_first_batches([sys.executable, "-W", "ignore", "-c", SLOW_PREDICTION])
    assert first == -signal.SIGKILL
    assert not Path("p.csv").exists()
    again = score(batch_size=2)
    assert 0 < again.num_resumed < 11
    assert Path("p.csv").read_bytes() == expected
    assert sorted(file.name for file in here.iterdir()) == ["bundle", "images", "p.csv"]


def kill_after_first_batches(command: Sequence[str]) -> int:
    part = partial_path(Path("p.csv"))
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:
        while process.poll() is None and (not part.exists() or part.read_bytes().count(b"\n") < 3):
            time.sleep(0.01)
        process.kill()
        return process.wait()
