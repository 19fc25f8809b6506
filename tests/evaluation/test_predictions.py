"""Independent scores: held, written, read, joined from two models, and scored a question at a time."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.isic_formats import write_isic2017
from lesionlens.evaluation.predictions import Predictions, join_predictions, multilabel_predictions
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions

TWO = ("melanoma", "seborrheic_keratosis")


def drawn(n: int = 90, *, rest: str = "other", seed: int = 0) -> Predictions:
    """Two sigmoids that lean to the truth; every third image is of each kind."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    logits = rng.normal(size=(n, 2)) + 1.5 * (truth[:, None] == [0, 1])
    ids = np.array([f"ISIC_{image}" for image in range(n)])
    lesions = np.array([f"L{image // 2}" for image in range(n)])
    label = np.array([*TWO, rest])[truth]
    return multilabel_predictions(
        ids, lesions, label, np.round(1 / (1 + np.exp(-logits)), 3), TWO, other_class=rest
    )


def one(both: Predictions, name: str) -> Predictions:
    """The same images as a model of one diagnosis would give them, in another order."""
    scores = both.scores[:, both.classes.index(name)]
    label = np.where(both.label == name, name, "other")
    order = np.random.default_rng(1).permutation(len(both))
    table = np.column_stack([1 - scores, scores])
    return Predictions(both.image_id, both.lesion_id, label, table, ("other", name)).select(order)


def test_each_question_has_its_auc_and_their_mean_is_the_challenges() -> None:
    p = drawn()
    found = evaluate(p, n_resamples=0)
    areas = [sk.roc_auc_score(p.label == name, p.scores[:, k]) for k, name in enumerate(TWO, start=1)]
    assert [found.value("auc", name) for name in TWO] == pytest.approx(areas)
    assert found.value("auc") == pytest.approx(np.mean(areas))
    assert any("leave out other" in note and "one minus the largest" in note for note in found.caveats)
    assert evaluate(p, n_resamples=20).estimate("auc", "macro").low < found.value("auc")


def test_the_rest_is_on_top_exactly_where_no_score_exceeds_a_half() -> None:
    scores = [[0.5, 0.1], [0.51, 0.2], [0.2, 0.9], [0.6, 0.7]]
    p = multilabel_predictions(list("abcd"), [""] * 4, [""] * 4, scores, TWO)
    assert [p.classes[k] for k in p.scores.argmax(axis=1)] == ["other", TWO[0], TWO[1], TWO[1]]


def test_the_file_gives_the_record_back(tmp_path: Path) -> None:
    p = drawn(rest="nevus")
    write_predictions(tmp_path / "p.csv", p)
    header = (tmp_path / "p.csv").read_text().splitlines()[0]
    assert header == "image_id,lesion_id,label,other_class,p_nevus,p_melanoma,p_seborrheic_keratosis"
    back = read_predictions(tmp_path / "p.csv")
    assert (back.classes, back.other_class) == (p.classes, "nevus")
    assert back.label.tolist() == p.label.tolist()
    np.testing.assert_array_equal(back.scores, p.scores)


def test_a_file_without_scores_of_the_rest_needs_its_name(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "image_id,label,p_melanoma,p_seborrheic_keratosis\na,nevus,0.2,0.3\nb,melanoma,0.9,0.6\n"
    )
    with pytest.raises(PredictionsError, match=r"unknown label 'nevus'.*give --other-class nevus"):
        read_predictions(tmp_path / "p.csv")
    found = read_predictions(tmp_path / "p.csv", other_class="nevus")
    np.testing.assert_allclose(found.scores, [[0.7, 0.2, 0.3], [0.1, 0.9, 0.6]])
    assert found.other_class == "nevus"


def test_three_classes_keep_their_scores_and_leave_the_rest_out_of_the_mean(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "image_id,label,p_melanoma,p_nevus,p_seborrheic_keratosis\n"
        "a,nevus,0.2,0.5,0.3\nb,melanoma,0.3,0.6,0.1\nc,seborrheic_keratosis,0.1,0.4,0.5\nd,nevus,0.4,0.3,0.3\n"
    )
    plain, asked = (
        evaluate(read_predictions(tmp_path / "p.csv", other_class=rest), n_resamples=0)
        for rest in (None, "nevus")
    )
    areas = [plain.value("auc", name) for name in TWO]
    assert asked.value("auc") == pytest.approx(np.mean(areas)) == pytest.approx((2 / 3 + 1) / 2)
    assert plain.value("auc") != asked.value("auc")
    assert asked.value("auc", "nevus") == plain.value("auc", "nevus")
    assert not any("one minus" in note for note in asked.caveats)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,other_class,p_a,p_b\nx,c,0,1\ny,d,0,1\n", "the column other_class names c, d; one name"),
        ("image_id,other_class,p_a,p_b\nx,c,0,1.5\n", "class 'b': 1.5"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(PredictionsError, match=message):
        read_predictions(tmp_path / "p.csv")
    with pytest.raises(PredictionsError, match="scores of shape"):
        multilabel_predictions(["a"], ["a"], [""], [[0.5]], TWO)
    with pytest.raises(PredictionsError, match="unknown class as the rest 'c'"):
        Predictions(["a"], ["a"], [""], [[0.5, 0.5]], ("a", "b"), other_class="c")


def test_two_models_joined_are_one_of_two_scores(tmp_path: Path) -> None:
    both = drawn()
    for name in TWO:
        write_predictions(tmp_path / f"{name}.csv", one(both, name))
    found = read_predictions(*(tmp_path / f"{name}.csv" for name in TWO))
    assert found.classes == both.classes
    order = np.argsort(found.image_id)
    expected = both.select(np.argsort(both.image_id))
    assert found.label[order].tolist() == expected.label.tolist()
    np.testing.assert_array_equal(found.scores[order], expected.scores)
    write_isic2017(tmp_path / "sent.csv", found)
    assert (tmp_path / "sent.csv").read_text().startswith("image_id,melanoma,seborrheic_keratosis\n")


def test_parts_that_cannot_be_joined_are_refused() -> None:
    both = drawn(9)
    mel, sk_ = (one(both, name) for name in TWO)
    with pytest.raises(PredictionsError, match="different diagnoses; these are of melanoma, melanoma"):
        join_predictions([mel, mel])
    with pytest.raises(PredictionsError, match="these have other, melanoma, seborrheic"):
        join_predictions([both, mel])
    with pytest.raises(PredictionsError, match="of the same images; only one has: ISIC_"):
        join_predictions([mel, sk_.select(np.arange(8))])
    twice = Predictions(
        sk_.image_id, sk_.lesion_id, np.full(9, "seborrheic_keratosis"), sk_.scores, sk_.classes
    )
    with pytest.raises(PredictionsError, match="label an image with two diagnoses: ISIC"):
        join_predictions([mel, twice])
    moved = Predictions(sk_.image_id, sk_.image_id, sk_.label, sk_.scores, sk_.classes)
    with pytest.raises(PredictionsError, match="different lesions for: ISIC"):
        join_predictions([mel, moved])
    blank = Predictions(sk_.image_id, sk_.lesion_id, np.full(9, ""), sk_.scores, sk_.classes)
    assert set(join_predictions([mel, blank]).label.tolist()) == {""}
