"""Run directories: complete or absent, in a folder that is checked early, with absolute paths."""

from pathlib import Path

import pytest

from lesionlens.core.errors import RunError, RunInterrupted, WriteError
from lesionlens.core.fileio import current_umask
from lesionlens.runs.absolute_paths import absolute_source, check_data_paths, with_absolute_paths
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir, check_run_dir, create_run_dir, resumable


def write_files(run_dir: RunDir) -> None:
    run_dir.start(status="running")


def test_directory_appears_with_its_metadata(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "new" / "run", tmp_path / "empty"):
        run_dir = create_run_dir("demo", out=out, write=write_files)
        assert (run_dir.path, run_dir.metadata()["status"]) == (out, "running")
        assert [path.name for path in out.iterdir()] == ["metadata.json"]
        assert out.stat().st_mode & 0o777 == 0o777 & ~current_umask()
    assert create_run_dir("a/b", runs_dir=tmp_path, write=write_files).path == tmp_path / "a-b"
    assert create_run_dir("a/b", runs_dir=tmp_path, write=write_files).path == tmp_path / "a-b-2"


def test_failure_leaves_no_directory(tmp_path: Path) -> None:
    def fail(_: RunDir) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create_run_dir("demo", out=tmp_path / "run", write=fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/run", "full", "x" * 300])
def test_unusable_directory_is_named_early(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    for check in (check_run_dir, create_run_dir):
        with pytest.raises(RunError, match=r"cannot (create|write)|never overwrites"):
            check("demo", out=tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_working_directory_is_not_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"\. is the working directory; name a new folder"):
        check_run_dir("demo", out=Path())


def test_messages_name_the_resume_command(tmp_path: Path) -> None:
    run = tmp_path / "my run"
    with (
        pytest.raises(RunInterrupted, match=r"Resume with: train --resume '.*my run'$"),
        resumable(run, "train --resume"),
    ):
        raise KeyboardInterrupt
    with pytest.raises(WriteError, match=r"^No space\. Resume with: train"), resumable(run, "train --resume"):
        raise WriteError("No space.")


def test_existing_paths_of_a_recipe_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("t.csv", "s.csv", "w.pth", "imagenet", "lesion", "official"):
        Path(name).touch()
    for name in ("ham", "masks"):
        Path(name).mkdir()
    overrides = [
        "data=table:t.csv", "data.extra_train=[ham10000:ham, ham10000:missing, t.csv]", "data.split=s.csv",
        "data.mask_dir=masks", "data.cache_dir=cache", "model.weights=w.pth", "attention_prior=masks",
    ]  # fmt: skip
    recipe = with_absolute_paths(load_recipe("plain", overrides))
    data = recipe.data
    assert data.source == f"table:{tmp_path}/t.csv"
    assert data.extra_train == (f"ham10000:{tmp_path}/ham", "ham10000:missing", f"{tmp_path}/t.csv")
    assert (data.split, data.mask_dir) == (f"{tmp_path}/s.csv", f"{tmp_path}/masks")
    assert data.cache_dir == f"{tmp_path}/cache"
    assert recipe.model.weights == f"{tmp_path}/w.pth"
    assert recipe.attention_prior.target == f"{tmp_path}/masks"
    named = ["data.split=official", "model.weights=imagenet", "attention_prior=lesion"]
    kept = with_absolute_paths(load_recipe("plain", named))
    assert (kept.data.split, kept.model.weights, kept.attention_prior.target) == (
        "official",
        "imagenet",
        "lesion",
    )


@pytest.mark.parametrize("source", ["ham10000:missing", "missing.csv", "no:such", "", ":", "table:"])
def test_sources_that_do_not_exist_stay_as_they_are(source: str) -> None:
    assert absolute_source(source) == source


def test_data_that_was_moved_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ham").mkdir()
    Path("s.csv").touch()
    recipe = with_absolute_paths(load_recipe("plain", ["data=ham10000:ham", "data.split=s.csv"]))
    check_data_paths(recipe, Path("run"))
    Path("ham").rename("moved")
    with pytest.raises(
        RunError, match=r"reads its data from .*/ham, which does not exist .* train run/recipe\.yaml"
    ):
        check_data_paths(recipe, Path("run"))
    named = load_recipe("plain", ["data=ham10000:nowhere", "data.split=official"])
    check_data_paths(named, Path("run"))  # a path that never existed is reported when it is read
