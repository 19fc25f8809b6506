"""Official ground truths of 2016 to 2019 in the forms in which they are published, and splits of a common truth."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from isic_challenge_scoring.classification import ClassificationMetric, ClassificationScore

from lesionlens.core.errors import PredictionsError
from lesionlens.core.taxonomy import ISIC2017_CLASSES, ISIC2018_CLASSES, ISIC2019_CLASSES
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.isic_formats import (
    ISIC2017_COLUMNS,
    ISIC2018_COLUMNS,
    UNSCORED_IMAGE,
    write_isic2018,
)
from lesionlens.evaluation.metric import MACRO, OVERALL
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions

from ..helpers.random_predictions import random_predictions

CODES_2019 = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
IDS = [f"ISIC_{n:07d}" for n in range(9)]


def one_hot(codes: tuple[str, ...], targets: list[int], ids: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(np.eye(len(codes))[targets], columns=list(codes))
    table.insert(0, "image", ids)
    return table


def own_predictions(folder: Path, classes: tuple[str, ...], ids: list[str]) -> Path:
    """Write predictions of which the n-th is right for class n."""
    scores = np.eye(len(classes))[np.arange(len(ids)) % len(classes)]
    write_predictions(folder / "p.csv", Predictions(ids, ids, [""] * len(ids), scores, classes))
    return folder / "p.csv"


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("classes", [ISIC2017_CLASSES, ISIC2018_CLASSES, ISIC2019_CLASSES])
def test_official_columns_may_be_in_any_case(
    classes: tuple[str, ...], change: Callable[[str], str], tmp_path: Path
) -> None:
    codes = {3: ISIC2017_COLUMNS, 7: ISIC2018_COLUMNS, 8: CODES_2019}[len(classes)]
    table = one_hot(codes, [0, 1], IDS[:2]).rename(columns={"image": "image_id"} if len(classes) == 3 else {})
    table.rename(columns=change).to_csv(tmp_path / "truth.csv", index=False)
    file = own_predictions(tmp_path, classes, IDS[:2])
    assert read_predictions(file, ground_truth=tmp_path / "truth.csv").label[0] == "melanoma"


@pytest.mark.parametrize(
    "columns", [[], ["score_weight"], ["score_weight", "validation_weight"], ["lesion_id"]]
)
def test_isic2019_truth(columns: list[str], tmp_path: Path) -> None:
    table = one_hot(CODES_2019, list(range(8)), IDS[:8])
    for name in columns:
        table[name] = [f"L{n // 2}" for n in range(8)] if name == "lesion_id" else 1.0
    table.to_csv(tmp_path / "truth.csv", index=False)
    file = own_predictions(tmp_path, ISIC2019_CLASSES, IDS[:8])
    predictions = read_predictions(file, ground_truth=tmp_path / "truth.csv")
    assert predictions.label.tolist() == list(ISIC2019_CLASSES)
    assert len(set(predictions.lesion_id)) == (4 if columns == ["lesion_id"] else 8)


def test_isic2019_test_truth_has_unscored_images_and_unknown(tmp_path: Path) -> None:
    table = one_hot(CODES_2019, [0, 1, 2, 8, 8], IDS[:5]).assign(score_weight=[1, 1, 1, 1, 0])
    table.to_csv(tmp_path / "truth.csv", index=False)
    nine = own_predictions(tmp_path, (*ISIC2019_CLASSES, "none_of_the_others"), IDS[:5])
    predictions = read_predictions(nine, ground_truth=tmp_path / "truth.csv")
    assert predictions.label.tolist() == [*ISIC2019_CLASSES[:3], "none_of_the_others"]
    assert predictions.caveats[0].startswith(
        "Excluded, because the official scorer gives it no weight: ISIC_0000004"
    )
    eight = own_predictions(tmp_path, ISIC2019_CLASSES, IDS[:4])
    with pytest.raises(PredictionsError, match=r"unknown label 'none_of_the_others'.*--other-class other"):
        read_predictions(eight, ground_truth=tmp_path / "truth.csv")
    predictions = read_predictions(eight, ground_truth=tmp_path / "truth.csv", other_class="UNK")
    assert predictions.other_class == "none_of_the_others"


@pytest.mark.parametrize("unknown", [True, False])
def test_isic2019_submission(unknown: bool, tmp_path: Path) -> None:
    codes = CODES_2019 if unknown else CODES_2019[:8]
    one_hot(codes, list(range(len(codes))), IDS[: len(codes)]).to_csv(tmp_path / "s.csv", index=False)
    one_hot(CODES_2019, list(range(len(codes))), IDS[: len(codes)]).to_csv(tmp_path / "t.csv", index=False)
    result = evaluate(read_predictions(tmp_path / "s.csv", ground_truth=tmp_path / "t.csv"), n_resamples=0)
    assert len(result.classes) == len(codes)
    assert result.value("accuracy", OVERALL) == 1


@pytest.mark.parametrize(
    ("benign", "malignant"),
    [("benign", "malignant"), ("0.0", "1.0"), ("0", "1")],
    ids=["training", "test", "integers"],
)
def test_isbi2016_truth_without_header(benign: str, malignant: str, tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text(
        f"ISIC_0000000,{benign}\nISIC_0000001,{malignant}\nISIC_0000002,{benign}\n"
    )
    (tmp_path / "s.csv").write_text("ISIC_0000000,0.2\nISIC_0000001,0.9\nISIC_0000002,0.4\n")
    predictions = read_predictions(tmp_path / "s.csv", ground_truth=tmp_path / "truth.csv")
    assert predictions.classes == ("benign", "melanoma")
    assert predictions.label.tolist() == ["benign", "melanoma", "benign"]
    assert evaluate(predictions, n_resamples=0).value("auc", "melanoma") == 1
    own = own_predictions(tmp_path, ("melanoma", "other"), IDS[:3])
    labels = read_predictions(own, ground_truth=tmp_path / "truth.csv").label
    assert labels.tolist() == ["other", "melanoma", "other"]


def test_isbi2016_truth_of_one_image(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("ISIC_0000000,malignant\n")
    own = own_predictions(tmp_path, ("melanoma", "nevus"), IDS[:1])
    assert read_predictions(own, ground_truth=tmp_path / "truth.csv").label.tolist() == ["melanoma"]


@pytest.mark.parametrize("extra", [{"lesion_id": "L"}, {"lesion_id": "L", "age": "50", "sex": "male"}])
def test_truths_with_added_columns(extra: dict[str, str], tmp_path: Path) -> None:
    table = one_hot(ISIC2018_COLUMNS, list(range(7)), IDS[:7]).assign(**extra)
    table.to_csv(tmp_path / "truth.csv", index=False)
    predictions = read_predictions(
        own_predictions(tmp_path, ISIC2018_CLASSES, IDS[:7]), ground_truth=tmp_path / "truth.csv"
    )
    assert set(predictions.lesion_id.tolist()) == {"L"}
    (tmp_path / "t17.csv").write_text(
        "lesion_id,image_id,melanoma,seborrheic_keratosis\nL1,a,1,0\nL1,b,0,0\n"
    )
    own = own_predictions(tmp_path, ("melanoma", "nevus"), ["a", "b"])
    assert read_predictions(own, ground_truth=tmp_path / "t17.csv").lesion_id.tolist() == ["L1", "L1"]


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # the official scorer uses deprecated functions of pandas
def test_the_unscored_image_of_2018_is_left_to_the_official_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(pd.DataFrame, "applymap"):
        monkeypatch.setattr(pd.DataFrame, "applymap", pd.DataFrame.map, raising=False)
    p = random_predictions(120, seed=8)
    ids = np.array([f"ISIC_{35000 + n:07d}" for n in range(120)])
    assert UNSCORED_IMAGE in ids
    p = Predictions(ids, ids, p.label, p.scores, p.classes)
    submission, truth = tmp_path / "s.csv", tmp_path / "t.csv"
    write_isic2018(submission, p)
    targets = [ISIC2018_CLASSES.index(str(name)) for name in p.label]
    one_hot(ISIC2018_COLUMNS, targets, list(ids)).to_csv(truth, index=False)
    official = ClassificationScore.from_file(truth, submission, ClassificationMetric.BALANCED_ACCURACY)
    result = evaluate(read_predictions(submission, ground_truth=truth), n_resamples=0, decision="isic")
    assert result.n_images == 119
    assert (
        f"Excluded, because the official scorer gives it no weight: {UNSCORED_IMAGE} (1 image)."
        in result.caveats
    )
    assert result.value("balanced_accuracy", OVERALL) == pytest.approx(official.overall, abs=1e-12)
    assert result.value("auc", MACRO) == pytest.approx(official.macro_average["auc"], abs=1e-12)
    assert result.value("average_precision", MACRO) == pytest.approx(official.macro_average["ap"], abs=1e-12)


@pytest.mark.parametrize("listed", ["both", "truth", "predictions"])
@pytest.mark.parametrize("form", ["official", "table"])
def test_the_unscored_image_may_be_absent(listed: str, form: str, tmp_path: Path) -> None:
    ids = ["ISIC_0035067", UNSCORED_IMAGE]
    truth_ids = ids if listed != "predictions" else ids[:1]
    truth = one_hot(ISIC2018_COLUMNS, [0, 1][: len(truth_ids)], truth_ids)
    if form == "table":
        truth = pd.DataFrame(
            {"image": [f"{name}.jpg" for name in truth_ids], "dx": ["mel", "nv"][: len(truth_ids)]}
        )
    truth.to_csv(tmp_path / "truth.csv", index=False)
    own = own_predictions(tmp_path, ISIC2018_CLASSES, ids if listed != "truth" else ids[:1])
    predictions = read_predictions(own, ground_truth=tmp_path / "truth.csv")
    assert predictions.image_id.tolist() == ids[:1]
    assert len(predictions.caveats) == (listed != "truth")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,1,0,0,0,0,0,0,0.5", "row 1: the score_weight is 0.5; allowed are 0 and 1"),
        ("a,1,0,0,0,0,0,0,0", "every score_weight is 0"),
        ("a,1,1,0,0,0,0,0,1", "not exactly one class for 1 image: a"),
        ("a,0,0,0,0,0,0,0,1", "not exactly one class for 1 image: a"),
    ],
)
def test_invalid_official_truths_raise(rows: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"image,{','.join(ISIC2018_COLUMNS)},score_weight\n{rows}\n")
    with pytest.raises(PredictionsError, match=message):
        read_predictions(own_predictions(tmp_path, ISIC2018_CLASSES, ["a"]), ground_truth=tmp_path / "t.csv")


def test_an_unscored_row_needs_no_class(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        f"image,{','.join(ISIC2018_COLUMNS)},score_weight\na,1,0,0,0,0,0,0,1\nb,{'0,' * 7}0\n"
    )
    predictions = read_predictions(
        own_predictions(tmp_path, ISIC2018_CLASSES, ["a"]), ground_truth=tmp_path / "t.csv"
    )
    assert predictions.label.tolist() == ["melanoma"]


@pytest.mark.parametrize("column", ["image_id", "image_name", "isic_id", "Image"])
@pytest.mark.parametrize("codes", [CODES_2019, ISIC2018_COLUMNS])
def test_column_of_images_has_another_usual_name(tmp_path: Path, codes: tuple[str, ...], column: str) -> None:
    table = one_hot(codes, list(range(len(codes))), IDS[: len(codes)]).rename(columns={"image": column})
    for name in ("truth.csv", "p.csv"):
        table.to_csv(tmp_path / name, index=False)
    labeled = read_predictions(tmp_path / "p.csv", ground_truth=tmp_path / "truth.csv")
    assert labeled.image_id.tolist() == IDS[: len(codes)]
    assert (labeled.scores.argmax(axis=1) == [labeled.classes.index(name) for name in labeled.label]).all()


def test_column_malignancy_of_a_table_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("image_id,malignancy,label\na,benign,nevus\nb,malignant,melanoma\n")
    (tmp_path / "p.csv").write_text("image_id,p_melanoma,p_nevus\na,0,1\nb,1,0\n")
    assert read_predictions(tmp_path / "p.csv", ground_truth=tmp_path / "truth.csv").label.tolist() == [
        "nevus",
        "melanoma",
    ]


@pytest.mark.parametrize("column", ["label", "dx", "Diagnosis"])
def test_label_that_contradicts_the_official_columns_raises(tmp_path: Path, column: str) -> None:
    codes = (*CODES_2019[:3], "AKIEC", *CODES_2019[4:7])
    truth = one_hot(codes, [0, 1, 2], IDS[:3])
    for labels, is_error in ((["MEL", "", "bcc"], False), (["MEL", "BCC", "BCC"], True)):
        truth.assign(**{column: labels}).to_csv(tmp_path / "truth.csv", index=False)
        predictions = own_predictions(tmp_path, ISIC2018_CLASSES, IDS[:3])
        if is_error:
            with pytest.raises(
                PredictionsError, match=r"MEL,NV,.* and label have different cells.* 'nevus' and 'BCC'"
            ):
                read_predictions(predictions, ground_truth=tmp_path / "truth.csv")
        else:
            labeled = read_predictions(predictions, ground_truth=tmp_path / "truth.csv")
            assert labeled.label.tolist() == list(ISIC2018_CLASSES[:3])


def test_contradicting_columns_of_labels_raise(tmp_path: Path) -> None:
    own = own_predictions(tmp_path, ("melanoma", "nevus"), ["a", "b"])
    (tmp_path / "t.csv").write_text("image,diagnosis,label\na,MEL,melanoma\nb,nevus,\n")
    assert read_predictions(own, ground_truth=tmp_path / "t.csv").label.tolist() == ["melanoma", "nevus"]
    (tmp_path / "t.csv").write_text("image,diagnosis,label\na,MEL,melanoma\nb,nevus,melanoma\n")
    with pytest.raises(
        PredictionsError, match=r"columns diagnosis and label have different cells.* 'nevus' and 'mel"
    ):
        read_predictions(own, ground_truth=tmp_path / "t.csv")


PARTS = "image,label,split\na,MEL,val\nb,NV,val\nc,MEL,test\nd,NV,test\ne,NV,train\n"


@pytest.mark.parametrize("name", ["val", "validation", "Valid", "dev"])
def test_a_split_of_the_labels_is_selected(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(PARTS)
    own = own_predictions(tmp_path, ("melanoma", "nevus"), ["a", "b"])
    with pytest.raises(
        PredictionsError, match=r"3 labeled without a prediction.*--split validation.*--common-images"
    ):
        read_predictions(own, ground_truth=tmp_path / "t.csv")
    predictions = read_predictions(own, ground_truth=tmp_path / "t.csv", split=name)
    assert predictions.label.tolist() == ["melanoma", "nevus"]
    assert predictions.caveats == (f"Only images of the split {name}: 2 of 5.",)
    both = own_predictions(tmp_path, ("melanoma", "nevus"), list("abcd"))
    assert read_predictions(both, ground_truth=tmp_path / "t.csv", split=name).image_id.tolist() == ["a", "b"]


@pytest.mark.parametrize("name", ["test", "Testing", "train"])
def test_a_split_without_predicted_images_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(PARTS)
    own = own_predictions(tmp_path, ("melanoma", "nevus"), ["a", "b"])
    with pytest.raises(
        PredictionsError, match=f"none of the 2 images of the predictions is in the split {name} of"
    ):
        read_predictions(own, ground_truth=tmp_path / "t.csv", split=name)


@pytest.mark.parametrize("rows", ["a.jpg,MEL,val\n", "photos/b,NV,val\n", "B,NV,val\n"])
def test_two_rows_of_one_image_raise(rows: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(PARTS + rows)
    own = own_predictions(tmp_path, ("melanoma", "nevus"), ["a", "b"])
    for common_images in (False, True):
        with pytest.raises(
            PredictionsError, match=r"labels name the image [ab] of the predictions twice, as [ab] and"
        ):
            read_predictions(own, ground_truth=tmp_path / "t.csv", common_images=common_images)


def test_common_images_are_counted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(PARTS)
    own = own_predictions(tmp_path, ("melanoma", "nevus"), ["a", "b", "x"])
    predictions = read_predictions(own, ground_truth=tmp_path / "t.csv", common_images=True)
    assert predictions.image_id.tolist() == ["a", "b"]
    assert predictions.caveats == (
        "Only the 2 images that predictions and labels have in common: 1 without a label and 3 without a prediction "
        "are excluded.",
    )
    with pytest.raises(PredictionsError, match="no image in common"):
        read_predictions(
            own_predictions(tmp_path, ("melanoma", "nevus"), ["x"]),
            ground_truth=tmp_path / "t.csv",
            common_images=True,
        )


def test_parts_of_predictions_are_joined(tmp_path: Path) -> None:
    p = random_predictions(40, classes=("a", "b"), seed=1)
    write_predictions(tmp_path / "all.csv", p)
    write_predictions(tmp_path / "1.csv", p.select(np.arange(25)))
    write_predictions(tmp_path / "2.csv", p.select(np.arange(25, 40)))
    joined = read_predictions(tmp_path / "1.csv", tmp_path / "2.csv")
    assert evaluate(joined, n_resamples=9) == evaluate(read_predictions(tmp_path / "all.csv"), n_resamples=9)
    with pytest.raises(PredictionsError, match=r"25 images in common .* use lesionlens compare"):
        read_predictions(tmp_path / "1.csv", tmp_path / "all.csv")


def test_a_split_of_the_predictions_is_selected(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("image_id,label,split,p_a,p_b\nx,a,val,1,0\ny,b,test,0,1\nz,b,TEST,0,1\n")
    assert read_predictions(tmp_path / "p.csv", split="test").image_id.tolist() == ["y", "z"]
    with pytest.raises(PredictionsError, match=r"no image of .* is in the split 'train'; its splits are"):
        read_predictions(tmp_path / "p.csv", split="train")
    with pytest.raises(PredictionsError, match="no column split"):
        read_predictions(own_predictions(tmp_path, ("a", "b"), ["x"]), split="test")


@pytest.mark.parametrize(
    "names",
    [["photos/a.jpg", "b.PNG"], ["A", "B"], ["x\\a.jpeg", "x\\b.jpeg"], ["./a", "./b"]],
)
def test_image_names_match_in_usual_spellings(names: list[str], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"image,label\n{names[0]},MEL\n{names[1]},NV\n")
    own = own_predictions(tmp_path, ("melanoma", "nevus"), ["a", "b"])
    assert read_predictions(own, ground_truth=tmp_path / "t.csv").label.tolist() == ["melanoma", "nevus"]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Image ID,Lesion-ID,Label,p_a,p_b", "x,L1,a,1,0"),
        ("image,lesion,label,p_a,p_b", "x,L1,a,1,0"),
        ("isic_id,LESION_ID,LABEL,Part,p_a,p_b", "x,L1,a,test,1,0"),
    ],
)
def test_columns_have_their_usual_names(header: str, row: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"{header}\n{row}\n")
    predictions = read_predictions(tmp_path / "p.csv")
    assert (predictions.image_id[0], predictions.lesion_id[0], predictions.label[0]) == ("x", "L1", "a")


def test_two_columns_of_lesions_must_agree(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("image_id,lesion_id,Lesion ID,p_a,p_b\nx,L1,L1,1,0\ny,L2,L3,1,0\n")
    with pytest.raises(
        PredictionsError, match=r"lesion_id and Lesion ID have different cells.*'L2' and 'L3' in row 2"
    ):
        read_predictions(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("names", "hint"),
    [(["1", "2"], "Leading zeros"), (["ISIC-1", "ISIC-2"], "punctuation"), (["1.0", "2.0"], "decimals")],
)
def test_near_misses_of_image_names_are_named(names: list[str], hint: str, tmp_path: Path) -> None:
    ids = ["0001", "0002"] if hint != "punctuation" else ["ISIC_1", "ISIC_2"]
    (tmp_path / "t.csv").write_text(f"image,label\n{names[0]},MEL\n{names[1]},NV\n")
    with pytest.raises(PredictionsError, match=rf"no image in common.*{hint}"):
        read_predictions(
            own_predictions(tmp_path, ("melanoma", "nevus"), ids), ground_truth=tmp_path / "t.csv"
        )
