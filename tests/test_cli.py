"""Commands of the package: output, exit codes and files."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from lesionlens import cli
from lesionlens.synthesis.dataset import generate_dataset

OVERRIDES = (
    "data.task=melanoma data.max_short_side=80 model.backbone=test_resnet model.attention=arl model.input_size=64 "
    "train.epochs=1"
)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run a command and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["lesionlens", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder with its own cache; 100 columns, warnings not reformatted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LESIONLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    return tmp_path


def test_generate_train_predict_evaluate_explain(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Generate images, validate, train two steps, predict, evaluate, explain."""
    generate_dataset(here / "ham", num_images=60, seed=1, size=(120, 160))
    assert run(monkeypatch, "data", "validate", "ham10000:ham") == 0
    assert "melanoma" in capsys.readouterr().out
    (here / "r.yaml").write_text("data: {source: 'ham10000:ham'}\nmodel: {}\n")
    assert run(monkeypatch, "train", "r.yaml", *OVERRIDES.split(), "--out", "run") == 0
    output = capsys.readouterr().out
    assert "test split" in output
    assert "Research use only, not a medical device." in output
    assert (here / "run" / "report.html").is_file()
    images = "ham/HAM10000_images"
    assert run(monkeypatch, "predict", "run", images, "-o", "p.csv") == 0
    assert len(pd.read_csv("p.csv")) == 60
    truth = pd.read_csv("ham/HAM10000_metadata.csv").rename(columns={"dx": "label"})
    truth.to_csv("truth.csv", index=False)
    assert (
        run(monkeypatch, "evaluate", "p.csv", "--labels", "truth.csv", "-o", "e", "--bootstrap-samples", "20")
        == 0
    )
    assert {"evaluation.json"} < {file.name for file in (here / "e").iterdir()}
    first = sorted(Path(images).iterdir())[0]
    assert run(monkeypatch, "explain", "run", str(first), "-o", "maps") == 0
    suffixes = {file.name.removeprefix(first.stem) for file in (here / "maps").iterdir()}
    assert suffixes == {
        ".layer1.png",
        ".layer2.png",
        ".layer3.png",
        ".layer4.png",
        ".gradcam.png",
        ".panel.png",
    }


@pytest.mark.slow
def test_custom_images_with_a_table(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and a CSV file with custom labels; one image is CMYK."""
    generate_dataset(here / "ham", num_images=40, seed=2, size=(90, 120))
    rows = []
    for number, file in enumerate(sorted((here / "ham" / "HAM10000_images").iterdir())):
        rows.append({"image": f"ham/HAM10000_images/{file.name}", "label": "odd" if number % 2 else "even"})
    Image.open(rows[0]["image"]).convert("CMYK").save(rows[0]["image"])
    pd.DataFrame(rows).to_csv("mine.csv", index=False)
    (here / "r.yaml").write_text("data: {source: 'table:mine.csv', classes: [even, odd]}\nmodel: {}\n")
    assert run(monkeypatch, "train", "r.yaml", *OVERRIDES.split(), "data.task=all", "--out", "run") == 0
    assert list(pd.read_csv("run/predictions/test.csv").columns)[3:5] == ["p_even", "p_odd"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "demo", "train.epoch=1"], 1, "did you mean 'train.epochs'"),
        (["train", "dmeo"], 1, "did you mean 'demo'"),
        (["train"], 2, "Pass a recipe"),
        (["train", "demo", "--resume", "x"], 2, "Remove the recipe"),
        (["train", "--resume", "nothing"], 1, "not a run directory"),
        (["data", "validate", "ham1000:x"], 1, "did you mean 'ham10000'"),
        (["data", "validate", "ham10000:nowhere"], 1, "does not exist"),
        (["predict", "nowhere", "x.jpg"], 1, "there is no model nowhere: it is not a folder here"),
        (["evaluate", "nowhere.csv"], 1, "nowhere.csv"),
        (["explain", "nowhere", "x.jpg"], 1, "there is no model nowhere: it is not a folder here"),
        (["trian"], 2, "train"),
    ],
)
def test_error_is_one_readable_line(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    assert run(monkeypatch, *arguments) == code
    output = capsys.readouterr().err
    assert message in output
    assert "Traceback" not in output


def test_version_option(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == cli.__version__


def test_debug_shows_the_traceback(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["lesionlens", "train", "dmeo", "--debug"])
    with pytest.raises(cli.LesionLensError):
        cli.main()


def test_models_and_layouts_are_listed(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "models") == 0
    assert "arl_cnn50" in (output := capsys.readouterr().out)
    assert "23,512,146" in output
    assert run(monkeypatch, "models", "--backbones", "mobilenetv2*") == 0
    assert "mobilenetv2_100" in capsys.readouterr().out
    assert run(monkeypatch, "data", "list") == 0
    assert "isic2017" in capsys.readouterr().out


def test_help_and_listings_load_nothing_heavy() -> None:
    """They are quick because they import neither torch nor pandas nor matplotlib."""
    look = (
        "import sys; from lesionlens.cli import app; import typer.main, typer.testing\n"
        "commands = [[], *([name] for name in typer.main.get_command(app).commands)]\n"
        "codes = [typer.testing.CliRunner().invoke(app, [*command, '--help']).exit_code for command in commands]\n"
        "heavy = {'torch', 'pandas', 'numpy', 'matplotlib', 'lightning', 'timm', 'rich'} & set(sys.modules)\n"
        "codes += [typer.testing.CliRunner().invoke(app, [name]).exit_code for name in ('models', 'recipes')]\n"
        "heavy |= {'torch', 'pandas', 'matplotlib', 'timm'} & set(sys.modules)\n"
        "print(len(codes) > 9, set(codes), sorted(heavy))"
    )
    output = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, env=os.environ
    )
    assert output.stdout.strip() == "True {0} []"


@pytest.mark.slow
def test_demo_runs_the_full_pipeline(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("demo", "demo-2"):
        assert run(monkeypatch, "demo", "--images", "100", "--epochs", "1", "--out", "there") == 0
        assert (here / "there" / name / "report.html").is_file()
    assert "generated by LesionLens" in (here / "there" / "demo" / "report.html").read_text()
    assert "Balanced accuracy" in capsys.readouterr().out


def test_recipes_are_listed_by_paper_and_shown_in_full(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "recipes", "--paper", "soft") == 0
    output = capsys.readouterr().out
    assert "soft/table2:split-30" in output
    assert "quoted from Zhang et al. 2019" in output
    assert "arl/table3:resnet14-seborrheic-keratosis" not in output
    assert run(monkeypatch, "recipes", "soft/table2:split-30") == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["data"]["test_fraction"] == 0.3
    assert shown["model"]["input_size"] == [299, 299]
    assert "base" not in shown
    assert run(monkeypatch, "recipes", "soft/table2:split-3") == 1
    assert "did you mean 'soft/table2:split-30'" in capsys.readouterr().err
