"""Prediction of folders, files and tables, including damaged files."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from lesionlens.core.errors import DataError, PredictionsError
from lesionlens.core.taxonomy import ISIC2018_CLASSES
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.predict import predict
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import load_saved_model, save_model


@pytest.fixture
def saved_model(tmp_path: Path) -> Path:
    """Save an untrained network of three classes with four random crops per image."""
    torch.manual_seed(1)
    spec = make_model_spec(backbone="test_resnet")
    preprocessing = Preprocessing(input_size=(48, 48), crops="multi-scale", crop_count=4, max_short_side=60)
    card = ModelCard(architecture=spec, classes=("melanoma", "nevus", "wart"), preprocessing=preprocessing)
    save_model(tmp_path / "bundle", build_network(spec, 3), card)
    return tmp_path / "bundle"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write five images, one of them CMYK, in two folders."""
    rng = np.random.default_rng(0)
    (tmp_path / "images" / "more").mkdir(parents=True)
    for number in range(5):
        image = Image.fromarray(rng.integers(0, 255, (70, 90, 3), dtype=np.uint8))
        image = image.convert("CMYK") if number == 2 else image
        image.save(tmp_path / "images" / ("more" if number > 2 else "") / f"{number}.jpg")
    return tmp_path / "images"


def test_scores_are_averaged_over_the_crops_of_the_model_card(
    saved_model: Path, folder: Path, tmp_path: Path
) -> None:
    scored = predict(saved_model, [folder], out=str(tmp_path / "p.csv"))
    loaded = load_saved_model(saved_model)
    preprocessing = loaded.card.preprocessing
    with torch.no_grad():
        x = preprocessing.prepare_input(preprocessing.load_image(folder / "1.jpg"))
        expected = loaded.model(x).logits.double().softmax(dim=1).mean(dim=0).numpy()
    assert x.shape == (4, 3, 48, 48)
    np.testing.assert_allclose(scored.predictions.scores[1], expected, atol=1e-5)
    assert read_predictions(tmp_path / "p.csv").image_id.tolist() == ["0", "1", "2", "3", "4"]


def test_scores_do_not_depend_on_the_batch_size(saved_model: Path, folder: Path) -> None:
    small, large = (predict(saved_model, [folder], batch_size=size).predictions.scores for size in (1, 32))
    np.testing.assert_allclose(small, large, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 10, 32])
def test_model_of_crops_takes_all_crops_of_an_image(folder: Path, tmp_path: Path, batch_size: int) -> None:
    torch.manual_seed(1)
    spec = make_model_spec(backbone="test_resnet", attention="patch", crops=5, initial=True, end=True)
    preprocessing = Preprocessing(input_size=(32, 32), crops="grid", crop_count=5)
    card = ModelCard(architecture=spec, classes=("melanoma", "nevus", "wart"), preprocessing=preprocessing)
    save_model(tmp_path / "bag", build_network(spec, 3), card)
    scored = predict(tmp_path / "bag", [folder], batch_size=batch_size)
    model = load_saved_model(tmp_path / "bag").model
    with torch.no_grad():
        crops = torch.stack(
            [
                preprocessing.prepare_input(preprocessing.load_image(path))
                for path in sorted(folder.rglob("*.jpg"))
            ]
        )
        expected = model(crops).logits.double().softmax(dim=1).numpy()
    assert crops.shape == (5, 5, 3, 32, 32)
    np.testing.assert_allclose(scored.predictions.scores, expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 5e-5  # images differ by more than the tolerance


def test_unreadable_image_is_reported_and_others_are_scored(saved_model: Path, folder: Path) -> None:
    (folder / "1.jpg").write_bytes(b"")
    scored = predict(saved_model, [folder])
    assert scored.predictions.image_id.tolist() == ["0", "2", "3", "4"]
    assert len(scored.failures) == 1
    assert "1.jpg" in scored.failures[0]


def test_labels_of_a_table_are_included(saved_model: Path, folder: Path) -> None:
    (folder / "t.csv").write_text("image,label,lesion_id\n0.jpg,melanoma,a\n1.jpg,MEL,a\n2.jpg,bcc,b\n")
    with pytest.warns(UserWarning, match="the model has no class are ignored: 'bcc'"):
        predictions = predict(saved_model, [folder / "t.csv"]).predictions
    assert predictions.lesion_id.tolist() == ["a", "a", "b"]
    assert predictions.label.tolist() == ["melanoma", "melanoma", ""]


def test_rows_without_an_image_are_reported(saved_model: Path, folder: Path) -> None:
    (folder / "t.csv").write_text("image,label\n0.jpg,melanoma\n9.jpg,nevus\n")
    with pytest.warns(UserWarning, match="rows without an image: 1"):
        assert predict(saved_model, [folder / "t.csv"]).predictions.image_id.tolist() == ["0"]


def test_custom_labels_of_the_model_are_accepted(saved_model: Path, folder: Path) -> None:
    (folder / "t.csv").write_text("image,label\n0.jpg,wart\n1.jpg,nevus\n")
    assert predict(saved_model, [folder / "t.csv"]).predictions.label.tolist() == ["wart", "nevus"]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "No images specified"),
        (["empty"], "no image .* in the folder"),
        (["none.jpg"], r"There is no file or folder none\.jpg"),
        (["none/x"], "There is no file or folder none/x"),
        (["table:none.csv"], r"none\.csv does not exist"),
    ],
)
def test_nothing_to_score_raises(
    saved_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        predict(saved_model, sources)


def test_isic_submission_round_trip(folder: Path, tmp_path: Path) -> None:
    spec = make_model_spec(backbone="test_resnet")
    card = ModelCard(
        architecture=spec, classes=ISIC2018_CLASSES, preprocessing=Preprocessing(input_size=(48, 48))
    )
    save_model(tmp_path / "seven", build_network(spec, 7), card)
    ours = predict(tmp_path / "seven", [folder], out=tmp_path / "p.csv", output_format="isic2018").predictions
    assert (tmp_path / "p.csv").read_text().startswith("image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n0,")
    np.testing.assert_array_equal(read_predictions(tmp_path / "p.csv").scores, ours.scores)
    with pytest.raises(PredictionsError, match="needs scores of melanoma and seborrheic_keratosis"):
        predict(tmp_path / "seven", [folder], out=tmp_path / "q.csv", output_format="isic2017")
    with pytest.raises(PredictionsError, match="did you mean 'isic2018'"):
        predict(tmp_path / "seven", [folder], output_format="isic208")


def test_two_images_with_one_name_raise(saved_model: Path, folder: Path) -> None:
    shutil.copy(folder / "0.jpg", folder / "more" / "0.jpg")
    both = rf"for example '0' of {folder / '0.jpg'} and {folder / 'more' / '0.jpg'}\. Use .*--ids path"
    with pytest.raises(DataError, match=f"1 image id occurs more than once, {both}"):
        predict(saved_model, [folder])
    with pytest.raises(DataError, match=r"1\.jpg, which is passed twice\. Pass each image once"):
        predict(saved_model, [folder / "1.jpg", folder / "1.jpg"])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_table_without_labels_is_scored(saved_model: Path, folder: Path, suffix: str) -> None:
    rows = pd.DataFrame({"image": ["1.jpg", "3", "1.jpg"], "lesion_id": ["a", "", "a"]})
    table = folder / f"new.{suffix}"
    rows.to_csv(table, index=False) if suffix == "csv" else rows.to_parquet(table)
    predictions = predict(saved_model, [f"table:{table}"]).predictions
    assert predictions.image_id.tolist() == ["1", "3"]
    assert predictions.lesion_id.tolist() == ["a", "3"]
    assert predictions.label.tolist() == ["", ""]
    separate = predict(saved_model, [folder / "1.jpg"]).predictions.scores[0]
    np.testing.assert_allclose(predictions.scores[0], separate, atol=1e-5)


def test_table_with_an_empty_label_column_is_scored(saved_model: Path, folder: Path) -> None:
    (folder / "new.csv").write_text("image,label\n1.jpg,\n2.jpg,n/a\n")
    assert predict(saved_model, [folder / "new.csv"]).predictions.label.tolist() == ["", ""]


def test_rows_to_score_without_an_image_are_named(saved_model: Path, folder: Path) -> None:
    (folder / "new.csv").write_text("image\n1.jpg\ngone.jpg\n")
    with pytest.raises(DataError, match=r"rows without an image: 1 \(line 3: 'gone'\)"):
        predict(saved_model, [folder / "new.csv"])


@pytest.fixture
def lesion_model(tmp_path: Path) -> Path:
    """Save an untrained network that uses the box around the lesion."""
    torch.manual_seed(1)
    spec = make_model_spec(backbone="test_resnet")
    preprocessing = Preprocessing(input_size=(32, 32), roi_margin=0.25)
    save_model(
        tmp_path / "lesions",
        build_network(spec, 2),
        ModelCard(architecture=spec, classes=("a", "b"), preprocessing=preprocessing),
    )
    return tmp_path / "lesions"


def write_masks(folder: Path, *names: str) -> Path:
    """Write masks whose box with margin is rows 5 to 35 and columns 10 to 70."""
    folder.mkdir()
    mask = np.zeros((70, 90), np.uint8)
    mask[10:30, 20:60] = 255
    for name in names:
        Image.fromarray(mask).save(folder / name)
    return folder


def test_crops_are_around_the_lesion(lesion_model: Path, folder: Path, tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", *(f"{number}_segmentation.png" for number in range(5)))
    (folder / "t.csv").write_text(
        "image,label,mask_path\n" + "".join(f"{n}.jpg,a,{masks}/{n}_segmentation.png\n" for n in range(2))
    )
    loaded = load_saved_model(lesion_model)
    preprocessing = loaded.card.preprocessing
    with torch.no_grad():
        x = preprocessing.prepare_input(
            np.ascontiguousarray(preprocessing.load_image(folder / "1.jpg")[5:35, 10:70])
        )
        expected = loaded.model(x).logits.double().softmax(dim=1)[0].numpy()
    for scored in (
        predict(lesion_model, [folder], mask_dir=masks),
        predict(lesion_model, [folder / "t.csv"]),
    ):
        np.testing.assert_allclose(scored.predictions.scores[1], expected, atol=1e-5)
        assert scored.missing_mask_ids == ()


def test_images_without_a_mask_are_scored_uncropped(lesion_model: Path, folder: Path, tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", "0.png", "1.png")
    Image.new("L", (90, 70)).save(masks / "2.png")
    Image.new("L", (70, 70), 255).save(masks / "3.png")
    with pytest.warns(
        UserWarning, match=r"2 of 4 images are used uncropped, .* for example 2, 4\. Predict masks"
    ):
        scored = predict(lesion_model, [folder], mask_dir=masks)
    assert scored.missing_mask_ids == ("2", "4")
    assert len(scored.failures) == 1
    assert "3.png has 70 × 70 pixels, its image" in scored.failures[0]
    with pytest.raises(DataError, match=r"there is no folder of masks .*none"):
        predict(lesion_model, [folder], mask_dir=tmp_path / "none")


def test_independent_scores_include_the_other_class(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    spec, two = make_model_spec(backbone="test_resnet"), ("melanoma", "seborrheic_keratosis")
    preprocessing = Preprocessing(input_size=(32, 32), tta="dihedral", aggregate="logits")
    card = ModelCard(architecture=spec, classes=two, multilabel=True, preprocessing=preprocessing)
    save_model(tmp_path / "two", build_network(spec, 2), card)
    (folder / "t.csv").write_text("image,label\n0.jpg,melanoma\n1.jpg,nevus\n2.jpg,SK\n")
    predictions = predict(tmp_path / "two", [folder / "t.csv"]).predictions
    assert predictions.classes == ("other", *two)
    assert predictions.other_class == "other"
    assert predictions.label.tolist() == ["melanoma", "other", "seborrheic_keratosis"]
    model = load_saved_model(tmp_path / "two").model
    with torch.no_grad():
        x = preprocessing.prepare_input(preprocessing.load_image(folder / "1.jpg"))
        views = [torch.rot90(flip, k, (-2, -1)) for flip in (x, x.flip(-1)) for k in range(4)]
        logits = torch.cat([model(view).logits.double() for view in views])
    np.testing.assert_allclose(predictions.scores[1, 1:], logits.mean(dim=0).sigmoid(), atol=1e-5)
