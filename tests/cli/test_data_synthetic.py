"""Commands ``lesionlens data generate`` and ``lesionlens data inject-artifact``."""

from pathlib import Path

import pytest

from lesionlens.cli import main
from lesionlens.datasets.registry import load_table


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
