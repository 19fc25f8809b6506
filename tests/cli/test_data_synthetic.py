"""Commands ``lesionlens data generate`` and ``lesionlens data inject-artifact``."""

from pathlib import Path

import pandas as pd
import pytest

from lesionlens.cli import main
from lesionlens.datasets.registry import load_table

from ..helpers.images import write_image


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["lesionlens", "data", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_generate_then_inject_artifact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--layout", "isic2016", "--images", "12", "--size", "36x48", "--exclude-artifact", "hair"]
    assert run(monkeypatch, "generate", str(tmp_path / "set"), *arguments) == 0
    output = capsys.readouterr().out
    assert (
        output
        == f"Generated 12 synthetic images of no patient: isic2016:{tmp_path / 'set'}. Research use only.\n"
    )
    arguments = ["--artifact", "color_patch", "--rate-difference", "1"]
    assert (
        run(
            monkeypatch,
            "inject-artifact",
            f"isic2016:{tmp_path / 'set'}",
            str(tmp_path / "biased"),
            *arguments,
        )
        == 0
    )
    output = capsys.readouterr().out
    source = f"table:{tmp_path / 'biased' / 'images.csv'}"
    assert output.startswith("Added color_patch to 100% of melanoma, 0% of the others (")
    assert f"requested difference: +100%): {source}. " in output
    assert "research use only" in output
    assert len(load_table(source)) == 12


def test_invalid_size_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "generate", str(tmp_path / "set"), "--size", "192") != 0
    assert (
        "'192' is not a size. Use height and width in pixels, for example 192x256" in capsys.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("classes", "task"),
    [
        (("wart", "cyst"), "wart"),
        (("wart", "cyst"), "WART"),
        (("NA", "EU", "none"), "NA"),
        (("yes/no", 'a, "b"'), "yes/no"),
        (("0", "1"), "1"),
        (("all", "macro"), "all"),
        (("nevus", "Spitz nevus"), "nv"),
    ],
)
def test_artifacts_are_added_by_custom_classes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    classes: tuple[str, ...],
    task: str,
) -> None:
    table = write_labeled_table(tmp_path, classes * 3)
    arguments = ["--artifact", "ruler", "--rate-difference", "1", "--task", task]
    arguments += [word for name in classes for word in ("--class", name)]
    assert run(monkeypatch, "inject-artifact", f"table:{table}", str(tmp_path / "out"), *arguments) == 0
    assert f"Added ruler to 100% of {task}, 0% of the others (" in capsys.readouterr().out
    copy = load_table(f"table:{tmp_path / 'out' / 'images.csv'}", classes=classes)
    assert sorted(copy.frame["diagnosis"]) == sorted(classes * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task", "wart"], "list all custom classes: data.classes=[a,b] in a recipe, --class a --class b"),
        (
            ["--task", "wrat", "--class", "wart", "--class", "cyst"],
            "unknown class 'wrat': did you mean 'wart'?",
        ),
        (["--class", "wart", "--class", "cyst"], "unknown class 'melanoma': Allowed: cyst, wart"),
        (["--task", "wart", "--class", "wart"], "unknown labels: 1 (3 rows with unknown label 'cyst')"),
    ],
)
def test_unknown_classes_of_artifacts_are_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    table = write_labeled_table(tmp_path, ("wart", "cyst") * 3)
    arguments = ["--artifact", "ruler", "--rate-difference", "1", *options]
    assert run(monkeypatch, "inject-artifact", f"table:{table}", str(tmp_path / "out"), *arguments) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "images.csv").exists()


def write_labeled_table(folder: Path, labels: tuple[str, ...]) -> Path:
    """Write a table of small images with these labels."""
    rows = [
        (write_image(folder / f"{n}.png", seed=n, size=(48, 48)).name, label)
        for n, label in enumerate(labels)
    ]
    pd.DataFrame(rows, columns=["image", "label"]).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"
