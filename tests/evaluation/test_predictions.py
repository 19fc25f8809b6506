"""Independent scores: written, read, joined from two models, and evaluated one diagnosis at a time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.isic_formats import write_isic2017
from lesionlens.evaluation.join import join_predictions
from lesionlens.evaluation.metric import MACRO
from lesionlens.evaluation.predictions import Predictions, multilabel_predictions
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions

TWO = ("melanoma", "seborrheic_keratosis")


def multilabel(n: int = 90, *, other_class: str = "other", seed: int = 0) -> Predictions:
    """Simulate two sigmoid scores that correlate with the label; a third of the images is of each class."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    logits = rng.normal(size=(n, 2)) + 1.5 * (truth[:, None] == [0, 1])
    ids = np.array([f"ISIC_{image}" for image in range(n)])
    lesions = np.array([f"L{image // 2}" for image in range(n)])
    label = np.array([*TWO, other_class])[truth]
    return multilabel_predictions(
        ids, lesions, label, np.round(1 / (1 + np.exp(-logits)), 3), TWO, other_class=other_class
    )


def one_vs_rest(both: Predictions, name: str) -> Predictions:
    """Return the predictions of a model of one diagnosis for the same images, in another order."""
    scores = both.scores[:, both.classes.index(name)]
    label = np.where(both.label == name, name, "other")
    order = np.random.default_rng(1).permutation(len(both))
    table = np.column_stack([1 - scores, scores])
    return Predictions(both.image_id, both.lesion_id, label, table, ("other", name)).select(order)


def test_macro_auc_is_the_challenges_mean() -> None:
    p = multilabel()
    result = evaluate(p, n_resamples=0)
    areas = [sk.roc_auc_score(p.label == name, p.scores[:, k]) for k, name in enumerate(TWO, start=1)]
    assert [result.value("auc", name) for name in TWO] == pytest.approx(areas)
    assert result.value("auc") == pytest.approx(np.mean(areas))
    assert any(
        "classes exclude other" in caveat and "one minus the largest" in caveat for caveat in result.caveats
    )
    assert evaluate(p, n_resamples=20).estimate("auc", MACRO).low < result.value("auc")


def test_other_class_wins_only_if_no_score_exceeds_one_half() -> None:
    scores = [[0.5, 0.1], [0.51, 0.2], [0.2, 0.9], [0.6, 0.7]]
    p = multilabel_predictions(list("abcd"), [""] * 4, [""] * 4, scores, TWO)
    assert [p.classes[k] for k in p.scores.argmax(axis=1)] == ["other", TWO[0], TWO[1], TWO[1]]


def test_multilabel_file_round_trip(tmp_path: Path) -> None:
    p = multilabel(other_class="nevus")
    write_predictions(tmp_path / "p.csv", p)
    header = (tmp_path / "p.csv").read_text().splitlines()[0]
    assert header == "image_id,lesion_id,label,other_class,p_nevus,p_melanoma,p_seborrheic_keratosis"
    back = read_predictions(tmp_path / "p.csv")
    assert (back.classes, back.other_class) == (p.classes, "nevus")
    assert back.label.tolist() == p.label.tolist()
    np.testing.assert_array_equal(back.scores, p.scores)


def test_file_without_other_class_scores_needs_its_name(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "image_id,label,p_melanoma,p_seborrheic_keratosis\na,nevus,0.2,0.3\nb,melanoma,0.9,0.6\n"
    )
    with pytest.raises(PredictionsError, match=r"unknown label 'nevus'.*--other-class other"):
        read_predictions(tmp_path / "p.csv")
    result = read_predictions(tmp_path / "p.csv", other_class="nevus")
    np.testing.assert_allclose(result.scores, [[0.7, 0.2, 0.3], [0.1, 0.9, 0.6]])
    assert result.other_class == "nevus"


def test_other_class_with_scores_is_excluded_from_the_mean(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "image_id,label,p_melanoma,p_nevus,p_seborrheic_keratosis\n"
        "a,nevus,0.2,0.5,0.3\nb,melanoma,0.3,0.6,0.1\nc,seborrheic_keratosis,0.1,0.4,0.5\nd,nevus,0.4,0.3,0.3\n"
    )
    without_other_class, with_other_class = (
        evaluate(read_predictions(tmp_path / "p.csv", other_class=name), n_resamples=0)
        for name in (None, "nevus")
    )
    areas = [without_other_class.value("auc", name) for name in TWO]
    assert with_other_class.value("auc") == pytest.approx(np.mean(areas)) == pytest.approx((2 / 3 + 1) / 2)
    assert without_other_class.value("auc") != with_other_class.value("auc")
    assert with_other_class.value("auc", "nevus") == without_other_class.value("auc", "nevus")
    assert not any("one minus" in caveat for caveat in with_other_class.caveats)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image_id,other_class,p_a,p_b\nx,c,0,1\ny,d,0,1\n",
            "the column other_class has the values c, d; only one",
        ),
        ("image_id,other_class,p_a,p_b\nx,c,0,1.5\n", "class 'b': 1.5"),
    ],
)
def test_invalid_other_class_raises(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(PredictionsError, match=message):
        read_predictions(tmp_path / "p.csv")
    with pytest.raises(PredictionsError, match="scores of shape"):
        multilabel_predictions(["a"], ["a"], [""], [[0.5]], TWO)
    with pytest.raises(PredictionsError, match="unknown other class 'c'"):
        Predictions(["a"], ["a"], [""], [[0.5, 0.5]], ("a", "b"), other_class="c")


def test_joined_models_equal_multilabel_predictions(tmp_path: Path) -> None:
    both = multilabel()
    for name in TWO:
        write_predictions(tmp_path / f"{name}.csv", one_vs_rest(both, name))
    result = read_predictions(*(tmp_path / f"{name}.csv" for name in TWO))
    assert result.classes == both.classes
    order = np.argsort(result.image_id)
    expected = both.select(np.argsort(both.image_id))
    assert result.label[order].tolist() == expected.label.tolist()
    np.testing.assert_array_equal(result.scores[order], expected.scores)
    write_isic2017(tmp_path / "sent.csv", result)
    assert (tmp_path / "sent.csv").read_text().startswith("image_id,melanoma,seborrheic_keratosis\n")


@pytest.mark.parametrize(
    "rename", [str, "{}.jpg".format, "data\\x\\{}.PNG".format, str.lower, "/mnt/a b/{}".format]
)
def test_joined_images_may_have_names_of_another_form(rename: Callable[[str], str]) -> None:
    first, second = (one_vs_rest(multilabel(9), name) for name in TWO)
    order = np.arange(9)[::-1]
    unknown = replace(first, lesion_id=np.full(9, ""))
    renamed = replace(second, image_id=np.array([rename(str(name)) for name in second.image_id])).select(
        order
    )
    joined, expected = join_predictions([unknown, renamed]), join_predictions([first, second])
    for name in ("image_id", "lesion_id", "label", "scores"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(expected, name))


def test_invalid_models_to_join_raise() -> None:
    both = multilabel(9)
    mel, sk_ = (one_vs_rest(both, name) for name in TWO)
    with pytest.raises(
        PredictionsError, match="different diagnoses can be joined; these are of melanoma, melanoma"
    ):
        join_predictions([mel, mel])
    with pytest.raises(PredictionsError, match="these have other, melanoma, seborrheic"):
        join_predictions([both, mel])
    with pytest.raises(PredictionsError, match="of the same images; only one file has: ISIC_"):
        join_predictions([mel, sk_.select(np.arange(8))])
    twice = Predictions(
        sk_.image_id, sk_.lesion_id, np.full(9, "seborrheic_keratosis"), sk_.scores, sk_.classes
    )
    with pytest.raises(PredictionsError, match="have two diagnoses for: ISIC"):
        join_predictions([mel, twice])
    moved = Predictions(sk_.image_id, np.char.add("other ", sk_.image_id), sk_.label, sk_.scores, sk_.classes)
    with pytest.raises(PredictionsError, match="different lesions for: ISIC"):
        join_predictions([mel, moved])
    doubled = Predictions(
        [f"{name}.jpg" if index else sk_.image_id[0] for index, name in enumerate(sk_.image_id[[0, *range(9)]])],
        [""] * 10, [""] * 10, sk_.scores[[0, *range(9)]], sk_.classes,
    )  # fmt: skip
    with pytest.raises(
        PredictionsError, match=f"two rows of predictions to join are of the image {mel.image_id[0]};"
    ):
        join_predictions([mel, doubled])
    blank = Predictions(sk_.image_id, sk_.lesion_id, np.full(9, ""), sk_.scores, sk_.classes)
    assert set(join_predictions([mel, blank]).label.tolist()) == {""}
