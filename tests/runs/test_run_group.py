"""Runs of one recipe: which are pooled, and groups with missing, damaged or unfinished runs."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lesionlens.core.errors import PredictionsError, RunError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import MACRO
from lesionlens.evaluation.result import read_evaluation
from lesionlens.runs.group_evaluation import evaluate_group
from lesionlens.runs.multi_run_dir import MultiRunDir, expand_runs
from lesionlens.runs.run_group import RunGroup, open_group
from lesionlens.runs.run_statistics import summarize

from ..helpers.fake_groups import FOLDS, REPEATS, predict_fold, run_recipe, write_run_group

evaluate_points = partial(evaluate, n_resamples=0)
GESSERT = {"n_folds": 3, "data": {"source": "ham10000:x", "split": "gessert2019"}}


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three folds, cv, and three repeats, rep."""
    folder = tmp_path_factory.mktemp("groups")
    write_run_group(folder / "cv", predict_fold, FOLDS)
    write_run_group(folder / "rep", predict_fold, REPEATS)
    return folder


@pytest.fixture
def folds(groups: Path, tmp_path: Path) -> MultiRunDir:
    """A copy of the folds, to change."""
    return MultiRunDir(Path(shutil.copytree(groups / "cv", tmp_path / "my folds")))


@pytest.mark.parametrize(
    ("keys", "split", "is_pooled", "repeats", "description"),
    [
        (FOLDS, "test", True, {"": 3}, "cross-validation with 3 folds"),
        (FOLDS, "validation", False, {"": 3}, "3 runs of 3 folds, each with its own training images"),
        (
            {**FOLDS, "num_repeats": 2}, "test", True, {"run-01": 3, "run-02": 3},
            "cross-validation with 3 folds, repeated 2 times with other seeds",
        ),
        (REPEATS, "test", False, dict.fromkeys(("run-01", "run-02", "run-03"), 1), "3 repeats with different seeds"),
        ({**FOLDS, "num_repeats": 2, "fold": 1}, "test", False, {"run-01": 1, "run-02": 1}, "2 repeats with"),
        (GESSERT, "test", False, {"": 3}, "3 runs of 3 folds"),
        (GESSERT, "validation", True, {"": 3}, "cross-validation with 3 folds"),
    ],
)  # fmt: skip
def test_kind_follows_from_recipe_and_split(
    keys: dict[str, object], split: str, is_pooled: bool, repeats: dict[str, int], description: str
) -> None:
    group = RunGroup(MultiRunDir(Path("x")), tuple(expand_runs(run_recipe(**keys))), split)
    assert group.is_cross_validation is is_pooled
    assert {name: len(names) for name, names in group.repeats.items()} == repeats
    assert group.describe().startswith(description)


def test_folds_are_pooled_and_averaged(groups: Path) -> None:
    evaluation = evaluate_group(open_group(MultiRunDir(groups / "cv")), evaluate_points)
    by_fold = [predict_fold(run_recipe(fold=fold, **FOLDS)) for fold in range(3)]
    assert evaluation.pools[""].n_images == sum(map(len, by_fold)) == 150
    row = evaluation.summary.query("metric == 'auc' and aggregate == 'macro'").iloc[0]
    expected = summarize([evaluate_points(fold).value("auc", MACRO) for fold in by_fold])
    assert (row["mean"], row["low"], row["n"]) == pytest.approx((expected.mean, expected.low, 3))
    assert evaluation.mean_title == "mean over 3 folds"


def test_repeats_are_only_averaged(groups: Path) -> None:
    evaluation = evaluate_group(open_group(MultiRunDir(groups / "rep")), evaluate_points)
    assert evaluation.pools == {}
    assert evaluation.mean_title == "mean over 3 repeats"
    assert len({run.n_images for run in evaluation.runs.values()}) == 1
    assert evaluation.caveats == (
        "All runs were evaluated on the same 52 images of 28 lesions: the interval of the mean is not for other "
        "images.",
    )


def test_pool_of_training_is_saved(groups: Path) -> None:
    saved = read_evaluation(groups / "cv" / "evaluation.json")
    pool = evaluate_group(open_group(MultiRunDir(groups / "cv")), evaluate_points).pools[""]
    np.testing.assert_equal(saved.to_json(), pool.to_json())


def test_missing_folds_are_named(folds: MultiRunDir) -> None:
    shutil.rmtree(folds.path / "fold-1")
    folds.run_dir("fold-2").update(status="running")
    message = r"fold-1 \(missing\), fold-2 \(interrupted\)\. Resume with: .*--resume '.*/my folds'"
    with pytest.raises(PredictionsError, match=message):
        evaluate_group(open_group(folds), evaluate_points)


def test_report_without_all_folds_states_why(tmp_path: Path) -> None:
    folder = MultiRunDir(
        write_run_group(tmp_path / "g", predict_fold, FOLDS, failing=("fold-1",), with_report=True)
    )
    page = folder.report.read_text()
    assert "There are no pooled predictions, which require all folds." in page
    assert "Not finished: fold-1 (missing). Resume with: lesionlens train --resume" in page
    assert '<td class="missing" colspan="5">not finished</td>' in page
    assert "2 of 3 runs" in page


def test_damaged_run_is_named(folds: MultiRunDir) -> None:
    (folds.path / "fold-1" / "metadata.json").write_text("{}")
    with pytest.raises(
        RunError, match=r"fold-1/metadata.json is damaged.*remove the folder .*fold-1 to train"
    ):
        evaluate_group(open_group(folds), evaluate_points)


def test_other_folders_next_to_the_runs_are_ignored(folds: MultiRunDir) -> None:
    shutil.copytree(folds.path / "fold-0", folds.path / "fold-0 (copy)")
    (folds.path / "reports").mkdir()
    (folds.path / "fold-9").mkdir()
    assert list(evaluate_group(open_group(folds), evaluate_points).runs) == ["fold-0", "fold-1", "fold-2"]


def test_copied_fold_is_not_pooled(folds: MultiRunDir) -> None:
    shutil.rmtree(folds.path / "fold-1")
    shutil.copytree(folds.path / "fold-0", folds.path / "fold-1")
    with pytest.raises(PredictionsError, match="test splits of several folds have 52 images in common"):
        evaluate_group(open_group(folds), evaluate_points)


def test_unfinished_repeats_are_excluded(groups: Path, tmp_path: Path) -> None:
    repeats = MultiRunDir(Path(shutil.copytree(groups / "rep", tmp_path / "rep")))
    shutil.rmtree(repeats.path / "run-02")
    evaluation = evaluate_group(open_group(repeats), evaluate_points)
    assert list(evaluation.runs) == ["run-01", "run-03"]
    assert evaluation.caveats[0].startswith("Not finished: run-02 (missing). Resume with: lesionlens train")
    for name in ("run-01", "run-03"):
        repeats.run_dir(name).update(status="interrupted")
    with pytest.raises(RunError, match=r"has no finished run; not finished: run-01 \(interrupted\), run-02"):
        evaluate_group(open_group(repeats), evaluate_points)


def test_repeats_on_different_images_have_a_caveat(tmp_path: Path) -> None:
    predict = lambda recipe: predict_fold(recipe.model_copy(update={"fold": recipe.train.seed % 3}))  # noqa: E731
    group = open_group(MultiRunDir(write_run_group(tmp_path / "g", predict, REPEATS)))
    (caveat,) = evaluate_group(group, evaluate_points).caveats
    assert caveat.startswith("The runs were evaluated on different images")


def test_lesions_in_several_folds_leave_the_mean(tmp_path: Path) -> None:
    """Folds by image, as of Yan 2020, are summarized after training, but not pooled."""

    def predict(recipe: object) -> object:
        fold = predict_fold(recipe)
        lesions = fold.lesion_id.copy()
        lesions[0] = "L0"
        return type(fold)(fold.image_id, lesions, fold.label, fold.scores, fold.classes)

    keys = {**FOLDS, "data": {"source": "ham10000:x", "split": "image_kfold"}}
    folder = MultiRunDir(write_run_group(tmp_path / "g", predict, keys, with_report=True))
    assert folder.summary_csv.is_file()
    assert not (folder.path / "evaluation.json").exists()
    reason = "the folds cannot be pooled, because the test splits of several folds have 1 lesion in common"
    assert f"There are no pooled predictions: {reason}" in folder.report.read_text()
    with pytest.raises(PredictionsError, match=r"Use the mean over the folds"):
        evaluate_group(open_group(folder), evaluate_points)
