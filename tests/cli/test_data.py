"""Commands ``lesionlens data audit``, ``split`` and ``list``."""

import json
from pathlib import Path

import pandas as pd
import pytest

from lesionlens.cli import main
from lesionlens.datasets.registry import DATASETS
from lesionlens.synthesis.dataset import generate_dataset


@pytest.fixture(scope="module")
def ham(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate_dataset(tmp_path_factory.mktemp("made") / "ham", num_images=40, seed=0, size=(60, 80))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["lesionlens", *arguments])
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_audit_prints_and_writes_its_report(
    ham: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images = sorted((ham / "HAM10000_images").glob("*.jpg"))
    table = "\n".join(["image,label", *(f"{path},nevus" for path in images[:2])])
    (tmp_path / "mine.csv").write_text(table)
    arguments = [
        f"ham10000:{ham}",
        f"table:{tmp_path / 'mine.csv'}",
        "--split",
        "group_kfold",
        "--folds",
        "3",
    ]
    assert run(monkeypatch, "data", "audit", *arguments, "--fold", "0", "-o", str(tmp_path / "out")) == 0
    output = capsys.readouterr().out
    assert "Audit of ham10000 (40 images), table (2 images)" in output
    assert "byte-identical pairs across datasets: 2" in output
    assert "Research use only" in output
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert audit["split_description"].startswith("fold 0 of 3")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "audit.json",
        "duplicates.csv",
        "duplicates.png",
    }


def test_split_is_written_and_described(
    ham: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "split.csv"
    arguments = ["data", "split", str(ham), "--split", "image_kfold", "--folds", "3", "--fold", "1"]
    assert run(monkeypatch, *arguments, "-o", str(out)) == 0
    output = capsys.readouterr().out
    assert "fold 1 of 3" in output
    assert "caveat: the folds are by image" in output
    assert pd.read_csv(out)["split"].value_counts().sum() == 40


def test_invalid_split_is_a_one_line_error(
    ham: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "data", "audit", str(ham), "--split", "group_kfolds") == 1
    assert capsys.readouterr().err.startswith(
        "error: unknown split 'group_kfolds': did you mean 'group_kfold'?"
    )


def test_data_list_names_every_dataset_in_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "data", "list") == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    for name, record in DATASETS.items():
        assert name in output
        assert record.license in output
        assert record.url in output
