"""Damaged files of a run: each is named with what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lesionlens.core.errors import LesionLensError, RunInterrupted
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.module import ClassificationModule
from lesionlens.training.run import resume, train

from ..helpers.damaged_files import DAMAGES


@pytest.fixture(scope="module")
def interrupted(recipe: str, base_overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run that is interrupted in its second epoch."""
    out = tmp_path_factory.mktemp("runs") / "run"
    step = ClassificationModule.training_step

    def stop(self: ClassificationModule, batch: object, batch_idx: int) -> object:
        if self.current_epoch:
            raise KeyboardInterrupt
        return step(self, batch, batch_idx)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClassificationModule, "training_step", stop)
        with pytest.raises(RunInterrupted):
            train(recipe, [*base_overrides, "train.epochs=2"], out=out)
    return out


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["metadata.json", "checkpoints/last.ckpt"])
def test_damaged_file_is_named(
    interrupted: Path, tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    run = Path(shutil.copytree(interrupted, tmp_path / "run"))
    (run / name).write_bytes(damage((run / name).read_bytes()))
    with pytest.raises(LesionLensError, match=rf"{name} is damaged .*restore it from a backup"):
        resume(run)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_recipe_is_named(interrupted: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    run = Path(shutil.copytree(interrupted, tmp_path / "run"))
    (run / "recipe.yaml").write_bytes(damage((run / "recipe.yaml").read_bytes()))
    with pytest.raises(LesionLensError, match=r"recipe\.yaml"):
        resume(run)


@pytest.mark.parametrize(
    "change",
    [
        {"status": None},
        {"seconds": "long"},
        {"data": []},
        {"auto_values": {"train.precision": "fp8"}},
        {"auto_values": {"train.speed": 3}},
        {"auto_values": ["fp32"]},
    ],
)
def test_metadata_of_wrong_types_are_named(
    interrupted: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    run = RunDir(Path(shutil.copytree(interrupted, tmp_path / "run")))
    run.update(**change)
    with pytest.raises(LesionLensError, match=r"metadata\.json"):
        resume(run.path)
