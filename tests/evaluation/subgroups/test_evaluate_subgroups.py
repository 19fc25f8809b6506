"""Values, paired differences and p-values of groups, against fairlearn, loops and exact distributions."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import recall_score, roc_auc_score

from lesionlens.core.errors import ComparisonError, PredictionsError
from lesionlens.core.types import BoolArray
from lesionlens.evaluation.metric import MACRO, OVERALL
from lesionlens.evaluation.metrics import safe_divide
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.subgroups import permutation
from lesionlens.evaluation.subgroups.evaluate import (
    evaluate_subgroups,
    subgroup_metrics,
)
from lesionlens.evaluation.subgroups.grouping import Grouping, GroupSpec, group_images
from lesionlens.evaluation.subgroups.permutation import (
    permutation_p_values,
    permute_membership,
    stratify_lesions,
)
from lesionlens.evaluation.subgroups.result import MIN_GROUP_LESIONS, Subgroup, SubgroupReport

from ...helpers.random_predictions import random_predictions

TWO = ("other", "melanoma")
AUC, SENSITIVITY = ("auc", "melanoma"), ("sensitivity", "melanoma")


def by_lesion(predictions: Predictions, *, values: tuple[str, ...], seed: int = 0) -> Grouping:
    """Assign each lesion to a random group."""
    lesions, member = np.unique(predictions.lesion_id, return_inverse=True)
    cells = np.random.default_rng(seed).choice(values, len(lesions))[member]
    return group_images(GroupSpec("sex"), cells.tolist())


def group_of(report: SubgroupReport, name: str) -> Subgroup:
    return next(group for group in report.subgroups if group.name == name)


def planted(n: int = 300, *, shift: float, seed: int = 0) -> tuple[Predictions, Grouping]:
    """Return predictions with lower scores for melanomas of one of two groups."""
    predictions = random_predictions(n, classes=TWO, seed=seed, digits=6)
    grouping = by_lesion(predictions, values=("a", "b"), seed=seed)
    scores = predictions.scores.copy()
    is_hit = (grouping.group == "b") & (predictions.label == "melanoma")
    logits = np.log(scores[:, 1] / scores[:, 0]) - shift * is_hit
    scores = np.column_stack([1 / (1 + np.exp(logits)), 1 / (1 + np.exp(-logits))])
    return predictions.with_scores(scores), grouping


def test_values_equal_those_of_fairlearn() -> None:
    metrics = pytest.importorskip("fairlearn.metrics")
    predictions = random_predictions(300, classes=TWO, seed=1)
    grouping = by_lesion(predictions, values=("a", "b", "c", "NA"))
    report = evaluate_subgroups(predictions, [grouping], n_resamples=0)
    truth, scores = predictions.label == "melanoma", predictions.scores[:, 1]
    by_score = metrics.MetricFrame(
        metrics=roc_auc_score, y_true=truth, y_pred=scores, sensitive_features=grouping.group
    )
    by_class = metrics.MetricFrame(
        metrics={"sensitivity": recall_score, "specificity": metrics.true_negative_rate},
        y_true=truth, y_pred=scores > 0.5, sensitive_features=grouping.group,
    )  # fmt: skip
    assert {group.name for group in report.subgroups} == {"a", "b", "c", "unknown"}
    for group in report.subgroups:
        assert group.metric(AUC).value == pytest.approx(by_score.by_group[group.name])
        for name in ("sensitivity", "specificity"):
            expected = by_class.by_group[name][group.name]
            assert group.metric((name, "melanoma")).value == pytest.approx(expected)
        rest = grouping.group != group.name
        assert group.metric(AUC).rest == pytest.approx(roc_auc_score(truth[rest], scores[rest]))


def test_differences_are_paired_over_the_same_lesions() -> None:
    predictions = random_predictions(60, classes=TWO, seed=2)
    grouping = by_lesion(predictions, values=("a", "b"))
    keys = [AUC, ("accuracy", OVERALL)]
    report = evaluate_subgroups(predictions, [grouping], keys=keys, n_resamples=40, seed=3)
    lesions = np.unique(predictions.lesion_id)
    rng = np.random.default_rng(3)
    resampled = []
    for _ in range(40):
        drawn = lesions[rng.integers(len(lesions), size=len(lesions))]
        images = np.concatenate([np.flatnonzero(predictions.lesion_id == lesion) for lesion in drawn])
        parts = [images[grouping.group[images] == name] for name in ("a", "b")]
        resampled.append([_auc(predictions, part) for part in parts])
    values = np.array(resampled)
    low, high = np.quantile(values[:, 0] - values[:, 1], [0.025, 0.975])
    metric = group_of(report, "a").metric(AUC)
    assert (metric.difference_low, metric.difference_high) == pytest.approx((low, high))
    assert (metric.low, metric.high) == pytest.approx(tuple(np.quantile(values[:, 0], [0.025, 0.975])))
    mirrored = group_of(report, "b").metric(AUC)
    assert mirrored.difference == pytest.approx(-metric.difference)
    assert (mirrored.p, mirrored.p_holm) == (metric.p, metric.p_holm)
    assert report.n_tests == 2


def _auc(predictions: Predictions, images: NDArray[np.intp]) -> float:
    return float(roc_auc_score(predictions.label[images] == "melanoma", predictions.scores[images, 1]))


def test_averages_are_over_common_classes() -> None:
    predictions = random_predictions(200, classes=("a", "b", "c"), seed=4)
    is_group = (np.arange(200) < 100) & (predictions.label != "c")
    grouping = group_images(GroupSpec("site"), np.where(is_group, "x", "y").tolist())
    keys = [("auc", MACRO), ("balanced_accuracy", OVERALL), ("auc", "c")]
    report = evaluate_subgroups(predictions, [grouping], keys=keys, n_resamples=30)
    for name, mask in (("x", is_group), ("y", ~is_group)):
        group = group_of(report, name)
        label, scores = predictions.label[mask], predictions.scores[mask]
        aucs = [roc_auc_score(label == kind, scores[:, k]) for k, kind in enumerate("ab")]
        assert group.metric(keys[0]).value == pytest.approx(np.mean(aucs))
        predicted = np.array(["a", "b", "c"])[scores.argmax(axis=1)]
        recalls = [(predicted[label == kind] == kind).mean() for kind in "ab"]
        assert group.metric(keys[1]).value == pytest.approx(np.mean(recalls))
        assert "without c, which one side does not have" in group.metric(keys[0]).caveats
        assert group.metric(keys[0]).excluded_classes == group.metric(keys[1]).excluded_classes == ("c",)
    metric = group_of(report, "x").metric(keys[2])
    assert math.isnan(metric.value)
    assert math.isnan(metric.p)
    assert metric.caveats == ("no image of this class",)


def test_permutation_test_is_hypergeometric(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one image per lesion, the correct images of a class in a group have a hypergeometric distribution."""
    monkeypatch.setattr(permutation, "MIN_EXTREME", 10**9)
    rng = np.random.default_rng(5)
    correct, is_member = rng.random(60) < 0.7, rng.random(60) < 0.4
    correct[is_member] &= rng.random(int(is_member.sum())) < 0.4
    strata = stratify_lesions(np.arange(60), np.full(60, "melanoma"))

    def difference(members: BoolArray) -> NDArray[np.float64]:
        parts = [safe_divide((part * correct).sum(axis=1), part.sum(axis=1)) for part in (members, ~members)]
        return np.asarray(parts[0] - parts[1])[None]

    p = permutation_p_values(difference, is_member, strata, max_permutations=10_000, seed=0)
    hits, size = int(correct[is_member].sum()), int(is_member.sum())
    distribution = stats.hypergeom(60, int(correct.sum()), size)
    exact = min(1, 2 * min(distribution.cdf(hits), distribution.sf(hits - 1)))
    assert 0.005 < exact < 0.2
    assert p[0] == pytest.approx(exact, rel=0.2)


def test_permutations_keep_class_and_lesion() -> None:
    predictions = random_predictions(80, classes=("a", "b", "c"), seed=6)
    label = predictions.label.copy()
    first = {
        lesion: label[np.flatnonzero(predictions.lesion_id == lesion)[0]] for lesion in predictions.lesion_id
    }
    label = np.array([first[lesion] for lesion in predictions.lesion_id])
    is_member = by_lesion(predictions, values=("x", "y")).group == "x"
    strata = stratify_lesions(predictions.lesion_id, label)
    permuted = permute_membership(is_member, strata, n_permutations=50, rng=np.random.default_rng(0))
    for kind in "abc":
        assert (permuted[:, label == kind].sum(axis=1) == is_member[label == kind].sum()).all()
    for lesion in np.unique(predictions.lesion_id):
        members = permuted[:, predictions.lesion_id == lesion]
        assert (members == members[:, :1]).all()
    assert len(np.unique(permuted, axis=0)) > 1


def test_planted_bias_is_reported() -> None:
    predictions, grouping = planted(shift=2.5)
    report = evaluate_subgroups(predictions, [grouping], n_resamples=200)
    differing = {(group.name, metric.metric) for group, metric in report.differing()}
    assert ("b", "auc") in differing
    assert ("b", "sensitivity") in differing
    assert not {name for _, name in differing} & {"specificity"}
    metric = group_of(report, "b").metric(SENSITIVITY)
    assert metric.difference_high < 0
    assert metric.p_holm < 0.02


def test_fair_models_are_rarely_accused() -> None:
    """Two or fewer of 20 fair models with a difference are expected in 92 % of seeds; here the seed is fixed."""
    accused = 0
    for seed in range(20):
        predictions, grouping = planted(120, shift=0, seed=seed)
        report = evaluate_subgroups(
            predictions, [grouping], keys=[AUC, SENSITIVITY], n_resamples=5, seed=seed
        )
        accused += bool(report.differing())
    assert accused <= 2


def test_holm_counts_every_test_of_all_columns() -> None:
    predictions, grouping = planted(200, shift=1.0)
    other = by_lesion(predictions, values=("u", "v", "w"), seed=9)._replace(column="site")
    report = evaluate_subgroups(predictions, [grouping, other], keys=[AUC, SENSITIVITY], n_resamples=20)
    tested = [metric for group in report.subgroups if group.name != "b" for metric in group.metrics]
    assert report.n_tests == len(tested) == 8
    previous = 0.0
    for rank, metric in enumerate(sorted(tested, key=lambda item: item.p)):
        previous = max(previous, min(1.0, (len(tested) - rank) * metric.p))
        assert metric.p_holm == pytest.approx(previous)


def test_small_groups_have_values_only() -> None:
    predictions = random_predictions(100, classes=TWO, seed=8)
    single = replace(predictions, lesion_id=predictions.image_id)
    cells = ["few"] * 6 + ["many"] * 94
    report = evaluate_subgroups(single, [group_images(GroupSpec("site"), cells)], n_resamples=20)
    few = group_of(report, "few").metric(("accuracy", OVERALL))
    assert not math.isnan(few.value)
    assert np.isnan([few.low, few.difference_low, few.p, few.p_holm]).all()
    assert report.n_tests == 0
    assert report.caveats == (
        "Groups with fewer than 10 lesions have neither intervals nor tests: site few (6).",
    )
    assert MIN_GROUP_LESIONS == 10


def test_groups_of_one_class_have_no_auc() -> None:
    predictions = random_predictions(120, classes=TWO, seed=9)
    cells = np.where((predictions.label == "other") & (np.arange(120) % 2 == 0), "benign only", "mixed")
    report = evaluate_subgroups(
        predictions, [group_images(GroupSpec("site"), cells.tolist())], n_resamples=20
    )
    auc = group_of(report, "benign only").metric(AUC)
    assert math.isnan(auc.value)
    assert auc.caveats == ("no image of this class",)
    balanced = group_of(report, "benign only").metric(("balanced_accuracy", OVERALL))
    assert math.isnan(balanced.value)  # not the specificity
    assert math.isnan(balanced.p)
    assert "in the other images, no image of this class" in group_of(report, "mixed").metric(AUC).caveats
    assert not math.isnan(group_of(report, "benign only").metric(("specificity", "melanoma")).p)


def test_groups_without_an_error_have_a_test() -> None:
    """The bootstrap does not vary where every image is correct; the permutations do."""
    label = np.array(["melanoma", "other"] * 60)
    scores = np.column_stack([label == "other", label == "melanoma"]).astype(float)
    scores[60:] = scores[60:][::-1]  # all wrong
    ids = np.array([f"i{i}" for i in range(120)])
    predictions = Predictions(ids, ids, label, scores, TWO)
    grouping = group_images(GroupSpec("site"), ["right"] * 60 + ["wrong"] * 60)
    metric = evaluate_subgroups(predictions, [grouping], n_resamples=50).subgroups[0].metric(SENSITIVITY)
    assert (metric.value, metric.rest) == (1, 0)
    assert math.isnan(metric.difference_low)
    assert metric.caveats == ("the same in (nearly) every resample: there is no interval of the difference",)
    assert metric.p_holm < 0.05


def test_unlabeled_images_and_tasks_select_groups() -> None:
    predictions = random_predictions(200, classes=("melanoma", "nevus", "other"), seed=10)
    label = predictions.label.copy()
    label[::7] = ""
    predictions = replace(predictions, label=label)
    grouping = by_lesion(predictions, values=("a", "b"))
    report = evaluate_subgroups(predictions, [grouping], n_resamples=0, task="melanoma/nevus")
    evaluated = np.isin(label, ["melanoma", "nevus"])
    assert [group.n_images for group in report.subgroups] == [
        int((grouping.group[evaluated] == name).sum()) for name in ("a", "b")
    ]
    assert report.n_images == evaluated.sum()


def test_bad_input_is_an_error() -> None:
    predictions = random_predictions(40, classes=TWO, seed=11)
    grouping = by_lesion(predictions, values=("a", "b"))
    with pytest.raises(ComparisonError, match="unknown metric 'acu': did you mean 'auc'"):
        evaluate_subgroups(predictions, [grouping], keys=[("acu", "melanoma")])
    with pytest.raises(PredictionsError, match="none of the images has a label"):
        evaluate_subgroups(replace(predictions, label=np.full(40, "")), [grouping])
    label = np.where(grouping.group == "a", predictions.label, "")
    with pytest.raises(PredictionsError, match="--by sex: all evaluated images are in the group a"):
        evaluate_subgroups(replace(predictions, label=label), [grouping])


def test_default_metrics_are_few() -> None:
    binary = subgroup_metrics(random_predictions(40, classes=TWO))
    assert binary[:3] == [AUC, SENSITIVITY, ("specificity", "melanoma")]
    many = subgroup_metrics(random_predictions(40, classes=("a", "b", "c")))
    assert many[:4] == [("auc", "a"), ("auc", "b"), ("auc", "c"), ("auc", MACRO)]
    overall = list(itertools.dropwhile(lambda key: key[1] is not OVERALL, many))
    assert overall == [key for key in binary if key[1] is OVERALL]


@pytest.mark.slow
def test_false_alarm_rate_of_reports() -> None:
    """500 fair models, 200 images each, two columns of two and three groups: 5 % or less have any difference."""
    accused = 0
    for seed in range(500):
        predictions, grouping = planted(200, shift=0, seed=seed)
        other = by_lesion(predictions, values=("u", "v", "w"), seed=seed + 1000)._replace(column="site")
        report = evaluate_subgroups(predictions, [grouping, other], n_resamples=5, seed=seed)
        accused += bool(report.differing())
    interval = stats.binomtest(accused, 500).proportion_ci(method="exact")
    assert interval.low <= 0.05


@pytest.mark.slow
def test_intervals_of_differences_in_calibration_contain_zero() -> None:
    """100 models that are equally calibrated in two groups: 5 % of the intervals exclude 0, at most 12 (p = 0.003)."""
    excluded = 0
    for seed in range(100):
        predictions, grouping = planted(200, shift=0, seed=seed)
        report = evaluate_subgroups(
            predictions, [grouping], keys=[("ece", OVERALL)], n_resamples=200, seed=seed
        )
        metric = report.subgroups[0].metrics[0]
        excluded += not metric.difference_low <= 0 <= metric.difference_high
    assert excluded <= 12
