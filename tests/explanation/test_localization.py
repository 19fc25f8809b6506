"""A model over images with masks: where maps and masks meet, what is left out, what is written."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import jaccard_score

from lesionlens import cli
from lesionlens.core.errors import DataError, ModelError
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable
from lesionlens.evaluation.bootstrap import cluster_bootstrap_weights
from lesionlens.explanation.explain import compute_maps
from lesionlens.explanation.localization import evaluate_localization
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.factory import ModelSpec
from lesionlens.models.saved_model import LoadedModel, ModelCard, save_model

CLASSES = ("melanoma", "nevus")


def make(attention: str = "arl", **seeing: object) -> LoadedModel:
    torch.manual_seed(0)
    options = {"crops": 5, "end": True} if attention == "patch" else {}
    architecture = ModelSpec("test_resnet", attention, options)
    preprocessing = Preprocessing(**{"input_size": (64, 64), **seeing})
    card = ModelCard(architecture=architecture, classes=CLASSES, preprocessing=preprocessing)
    network = architecture.build(2).eval()
    for weights in network.parameters():  # norms that start at zero make flat maps
        if not weights.any():
            weights.data.normal_()
    return LoadedModel(network, card)


@pytest.fixture
def table(tmp_path: Path) -> LesionTable:
    """Six images of five lesions: masks of other sizes, one empty, one not there."""
    rows = []
    for n in range(6):
        rng = np.random.default_rng(n)
        pixels = rng.integers(150, 255, (60, 80, 3), dtype=np.uint8)
        pixels[20:40, 10 + 5 * n : 40 + 5 * n] //= 3
        Image.fromarray(pixels).save(tmp_path / f"i{n}.png")
        mask = np.zeros((60, 80), dtype=np.uint8)
        mask[20:40, 10 + 5 * n : 40 + 5 * n] = 255 if n != 4 else 0
        scale = 2 if n == 1 else 1
        Image.fromarray(mask).resize((80 * scale, 60 * scale), Image.Resampling.NEAREST).save(
            tmp_path / f"m{n}.png"
        )
        rows.append(
            {"image": f"i{n}.png", "label": CLASSES[n // 2 % 2], "lesion_id": f"L{n // 2 if n < 2 else n}",
             "mask_path": "" if n == 5 else f"m{n}.png"}
        )  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    return load_table(f"table:{tmp_path / 't.csv'}")


def test_maps_and_masks_meet_on_the_images_pixels(table: LesionTable) -> None:
    loaded = make()
    found = evaluate_localization(
        loaded, table, methods=["attention", "cam"], target_class="melanoma", n_resamples=30
    )
    assert [each.image_id for each in found.images] == ["i0", "i1", "i2", "i3"]
    assert list(found.images[0].maps) == ["layer1", "layer2", "layer3", "layer4", "cam"]
    compared = 0
    for each in found.images:
        image = np.asarray(Image.open(table.root.parent / f"{each.image_id}.png"))
        mask = np.asarray(Image.open(table.root.parent / f"{each.image_id.replace('i', 'm')}.png"))
        mask = mask[:: mask.shape[0] // 60, :: mask.shape[1] // 80] > 0
        crops = loaded.card.preprocessing.prepare_input(image)
        for name, values in compute_maps(
            loaded.model, crops, methods=["attention", "cam"], target_index=0
        ).items():
            on_image = np.asarray(
                Image.fromarray(values[0].numpy().astype(np.float32)).resize(
                    (80, 60), Image.Resampling.BILINEAR
                )
            )
            if np.ptp(on_image) <= 1e-6 * np.abs(on_image).max():
                continue  # flat
            scaled = (on_image - on_image.min()) / np.ptp(on_image)
            wanted = jaccard_score(mask.ravel(), scaled.ravel() >= 0.5)
            compared += 1
            assert each.maps[name].iou == pytest.approx(wanted, abs=1e-6), name
    assert compared > 12


def test_means_have_intervals_over_lesions(table: LesionTable) -> None:
    found = evaluate_localization(make(), table, methods=["attention"], n_resamples=40, seed=3)
    values = np.array([each.maps["layer4"].energy_pointing_game for each in found.images])
    estimate = next(
        each for each in found.estimates if (each.metric, each.scope) == ("energy_pointing_game", "layer4")
    )
    assert estimate.value == pytest.approx(values.mean())
    weights = np.concatenate(
        list(cluster_bootstrap_weights(np.array(["L0", "L0", "L2", "L3"]), n_resamples=40, seed=3))
    )
    drawn = [np.average(values, weights=each) for each in weights]
    assert (estimate.low, estimate.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]))
    bare = evaluate_localization(make(), table, methods=["attention"], n_resamples=0)
    assert np.isnan(bare.estimates[0].low)


def test_images_without_a_lesion_to_compare_with_are_counted(table: LesionTable) -> None:
    found = evaluate_localization(make(), table, methods=["attention"], n_resamples=0)
    assert [name for name, _ in found.excluded] == ["i4", "i5"]
    assert "is empty" in found.excluded[0][1]
    assert found.excluded[1][1] == "i5.png has no mask"
    with pytest.raises(DataError, match="not one of 2 images can be measured, for example: "):
        evaluate_localization(make(), table.select(["i4", "i5"]))


def test_only_what_the_crops_saw_counts(table: LesionTable, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    corner = np.zeros((60, 80), dtype=np.uint8)
    corner[:, :5] = 255  # the centre square begins at column 10
    Image.fromarray(corner).save(tmp_path / "masks" / "i0.png")
    corner[:, 40:] = 255
    Image.fromarray(corner).save(tmp_path / "masks" / "i1.png")
    found = evaluate_localization(
        make(crops="center-square"), table, methods=["attention"], mask_dir=tmp_path / "masks", n_resamples=0
    )
    assert [each.image_id for each in found.images] == ["i1"]
    assert found.excluded[0] == ("i0", "no crop of i0.png shows its lesion")


def test_the_box_around_the_lesion_is_looked_at_where_the_card_says_so(table: LesionTable) -> None:
    few = table.select(["i0"])
    whole, close = (
        evaluate_localization(make(roi_margin=roi), few, methods=["attention"], n_resamples=0)
        for roi in (None, 0.0)
    )
    # seen is the lesion's own box: all of the map lies in the mask
    assert close.images[0].maps["layer4"].energy_pointing_game == pytest.approx(1)
    assert whole.images[0].maps["layer4"].energy_pointing_game < 1


def test_weights_of_whole_crops_have_no_places(table: LesionTable) -> None:
    loaded = make("patch", crops="grid", crop_count=5)
    with pytest.raises(ModelError, match="weights of whole crops"):
        evaluate_localization(loaded, table, methods=["attention"])
    found = evaluate_localization(loaded, table, methods=["auto"], n_resamples=0)
    assert list(found.images[0].maps) == ["gradcam"]
    with pytest.raises(ModelError, match="unknown class 'melanomia'"):
        evaluate_localization(loaded, table, target_class="melanomia")


def test_each_head_is_a_map_of_its_own(table: LesionTable) -> None:
    found = evaluate_localization(make("soft"), table.select(["i0"]), methods=["heads"], n_resamples=0)
    assert list(found.images[0].maps)[:2] == ["soft-heads-0", "soft-heads-1"]


def test_the_command_writes_every_image_and_the_means(
    table: LesionTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = make()
    save_model(tmp_path / "model", loaded.model, loaded.card)
    (tmp_path / "only.csv").write_text("image_id\ni3\ni0\ni4\n")
    words = f"evaluate-maps {tmp_path}/model {table.root} -o {tmp_path}/q --method attention --bootstrap-samples 20"
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    monkeypatch.setattr(sys, "argv", ["lesionlens", *words.split(), "--image-list", f"{tmp_path}/only.csv"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert not left.value.code
    said = capsys.readouterr()
    assert "layer4" in said.out
    assert "2 images; 1 excluded, see excluded.csv" in said.err
    assert "Research use only" in said.err
    images = pd.read_csv(tmp_path / "q" / "images.csv")
    assert images["image_id"].tolist() == ["i3"] * 4 + ["i0"] * 4
    summary = pd.read_csv(tmp_path / "q" / "summary.csv")
    mean = images[images["map"] == "layer2"]["iou"].mean()
    written = summary[(summary["map"] == "layer2") & (summary["measure"] == "iou")]["mean"].item()
    assert written == pytest.approx(mean, abs=1e-5)
    assert pd.read_csv(tmp_path / "q" / "excluded.csv")["image_id"].tolist() == ["i4"]
