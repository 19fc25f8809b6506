"""Localization of a model on images with masks: comparison on pixels, exclusions and output files."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import jaccard_score

from lesionlens import cli
from lesionlens.core.bootstrap import cluster_bootstrap_weights
from lesionlens.core.errors import DataError, ModelError
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable
from lesionlens.explanation.cell_positions import cell_grids
from lesionlens.explanation.explain import compute_maps
from lesionlens.explanation.localization import evaluate_localization
from lesionlens.explanation.map_references import ReferenceFolders
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.imaging.stitching import resize_map
from lesionlens.models.factory import build_network
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel, save_model
from lesionlens.models.spec import ModelSpec

CLASSES = ("melanoma", "nevus")


def make_model(attention: str = "arl", **preprocessing_options: object) -> LoadedModel:
    torch.manual_seed(0)
    options = {"crops": 5, "end": True} if attention == "patch" else {}
    architecture = ModelSpec("test_resnet", attention, options)
    preprocessing = Preprocessing(**{"input_size": (64, 64), **preprocessing_options})
    card = ModelCard(architecture=architecture, classes=CLASSES, preprocessing=preprocessing)
    network = build_network(architecture, 2).eval()
    for weights in network.parameters():  # norms initialized to zero would make constant maps
        if not weights.any():
            weights.data.normal_()
    return LoadedModel(network, card)


@pytest.fixture
def table(tmp_path: Path) -> LesionTable:
    """Six images of five lesions, with one mask of another size, one empty and one missing."""
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


def test_maps_are_compared_on_the_pixels_of_the_image(table: LesionTable) -> None:
    loaded = make_model()
    result = evaluate_localization(
        loaded, table, methods=["attention", "cam"], target_class="melanoma", n_resamples=30
    )
    assert [item.image_id for item in result.images] == ["i0", "i1", "i2", "i3"]
    assert list(result.images[0].maps) == ["layer1", "layer2", "layer3", "layer4", "cam"]
    compared = 0
    for item in result.images:
        image = np.asarray(Image.open(table.root.parent / f"{item.image_id}.png"))
        mask = np.asarray(Image.open(table.root.parent / f"{item.image_id.replace('i', 'm')}.png"))
        mask = mask[:: mask.shape[0] // 60, :: mask.shape[1] // 80] > 0
        crops = loaded.card.preprocessing.prepare_input(image)
        for name, values in compute_maps(
            loaded.model, crops, methods=["attention", "cam"], target_index=0
        ).items():
            grid = cell_grids(loaded.model, crops)[values.shape[-2], values.shape[-1]]
            on_image = resize_map(values[0].numpy(), (60, 80), grid)
            if np.ptp(on_image) <= 1e-6 * np.abs(on_image).max():
                continue  # constant
            scaled = (on_image - on_image.min()) / np.ptp(on_image)
            expected = jaccard_score(mask.ravel(), scaled.ravel() >= 0.5)
            compared += 1
            assert item.maps[name].iou == pytest.approx(expected, abs=1e-6), name
    assert compared > 12


def test_means_have_intervals_over_lesions(table: LesionTable) -> None:
    result = evaluate_localization(make_model(), table, methods=["attention"], n_resamples=40, seed=3)
    values = np.array([item.maps["layer4"].energy_pointing_game for item in result.images])
    estimate = next(
        item for item in result.estimates if (item.metric, item.scope) == ("energy_pointing_game", "layer4")
    )
    assert estimate.value == pytest.approx(values.mean())
    weights = np.concatenate(
        list(cluster_bootstrap_weights(np.array(["L0", "L0", "L2", "L3"]), n_resamples=40, seed=3))
    )
    resampled_means = [np.average(values, weights=item) for item in weights]
    assert (estimate.low, estimate.high) == pytest.approx(np.percentile(resampled_means, [2.5, 97.5]))
    without_intervals = evaluate_localization(make_model(), table, methods=["attention"], n_resamples=0)
    assert np.isnan(without_intervals.estimates[0].low)


def test_images_without_lesion_mask_are_excluded(table: LesionTable) -> None:
    result = evaluate_localization(make_model(), table, methods=["attention"], n_resamples=0)
    assert [name for name, _ in result.excluded] == ["i4", "i5"]
    assert "is empty" in result.excluded[0][1]
    assert result.excluded[1][1] == "i5.png has no mask"
    with pytest.raises(DataError, match="none of the 2 images can be evaluated, for example: "):
        evaluate_localization(make_model(), table.select(["i4", "i5"]))


def test_uncovered_pixels_are_excluded(table: LesionTable, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    corner = np.zeros((60, 80), dtype=np.uint8)
    corner[:, :5] = 255  # the center square starts at column 10
    Image.fromarray(corner).save(tmp_path / "masks" / "i0.png")
    corner[:, 40:] = 255
    Image.fromarray(corner).save(tmp_path / "masks" / "i1.png")
    result = evaluate_localization(
        make_model(crops="center-square"),
        table,
        methods=["attention"],
        folders=ReferenceFolders(lesion_masks=tmp_path / "masks"),
        n_resamples=0,
    )
    assert [item.image_id for item in result.images] == ["i1"]
    assert result.excluded[0] == ("i0", "no crop of i0.png contains its lesion")


def test_lesion_roi_of_the_card_is_used(table: LesionTable) -> None:
    one_image = table.select(["i0"])
    uncropped, cropped = (
        evaluate_localization(make_model(roi_margin=roi), one_image, methods=["attention"], n_resamples=0)
        for roi in (None, 0.0)
    )
    # the model gets only the box of the lesion: the complete map is inside the mask
    assert cropped.images[0].maps["layer4"].energy_pointing_game == pytest.approx(1)
    assert uncropped.images[0].maps["layer4"].energy_pointing_game < 1


def test_images_without_mask_are_compared_with_other_references(table: LesionTable, tmp_path: Path) -> None:
    folder = tmp_path / "gaze"
    folder.mkdir()
    density = np.zeros((60, 80))
    density[:, 40:] = 1
    np.save(folder / "i5.npy", density)
    result = evaluate_localization(
        make_model(), table, methods=["cam"], folders=ReferenceFolders(densities=folder), n_resamples=20
    )
    assert [item.image_id for item in result.images] == ["i0", "i1", "i2", "i3", "i5"]
    last = result.images[-1].maps["cam"]
    assert np.isnan(last.iou)
    assert -1 < last.correlation < 1
    means = {item.metric: item.value for item in result.estimates}
    assert means["correlation"] == last.correlation  # the only image with a density
    assert means["iou"] == pytest.approx(np.mean([item.maps["cam"].iou for item in result.images[:-1]]))
    (folder / "i5.png").write_bytes(b"")
    with pytest.raises(DataError, match="two maps of image i5"):
        evaluate_localization(make_model(), table, folders=ReferenceFolders(fixations=folder))


def test_means_with_and_without_an_artifact(table: LesionTable) -> None:
    labels = pd.DataFrame({"hair": [1, 0, 1, np.nan, 1, 1], "ink": [0.0] * 6})
    result = evaluate_localization(
        make_model(), table, methods=["cam"], artifact_labels=labels, n_resamples=50, seed=1
    )
    values = {item.image_id: item.maps["cam"].energy_pointing_game for item in result.images}
    compared = {
        item.artifact: item for item in result.by_artifact if item.means[0].metric == "energy_pointing_game"
    }
    assert list(compared) == ["hair", "any"]  # ink is on no image
    hair = compared["hair"]
    assert (hair.num_with, hair.num_without) == (2, 1)
    present, absent, difference = (mean.value for mean in hair.means)
    assert present == pytest.approx((values["i0"] + values["i2"]) / 2)
    assert absent == pytest.approx(values["i1"])
    assert difference == pytest.approx(present - absent)
    # one image without hair: no interval of its mean, and none of the difference, which would be too narrow
    assert np.isfinite(hair.means[0].low)
    assert np.isnan([hair.means[1].low, hair.means[2].low]).all()


def test_crop_weights_are_not_spatial(table: LesionTable) -> None:
    loaded = make_model("patch", crops="grid", crop_count=5)
    with pytest.raises(ModelError, match="weights of crops"):
        evaluate_localization(loaded, table, methods=["attention"])
    result = evaluate_localization(loaded, table, methods=["auto"], n_resamples=0)
    assert list(result.images[0].maps) == ["gradcam"]
    with pytest.raises(ModelError, match="unknown class 'melanomia'"):
        evaluate_localization(loaded, table, target_class="melanomia")


def test_each_head_is_a_separate_map(table: LesionTable) -> None:
    result = evaluate_localization(make_model("soft"), table.select(["i0"]), methods=["heads"], n_resamples=0)
    assert list(result.images[0].maps)[:2] == ["soft-heads-0", "soft-heads-1"]


def test_command_writes_images_and_means(
    table: LesionTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = make_model()
    save_model(tmp_path / "model", loaded.model, loaded.card)
    (tmp_path / "only.csv").write_text("image_id\ni3\ni0\ni4\n")
    command = f"evaluate-maps {tmp_path}/model {table.root} -o {tmp_path}/q --method attention --bootstrap-samples 20"
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    monkeypatch.setattr(sys, "argv", ["lesionlens", *command.split(), "--image-list", f"{tmp_path}/only.csv"])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert not exit_info.value.code
    captured = capsys.readouterr()
    assert "layer4" in captured.out
    assert "2 images; 1 excluded, see excluded.csv" in captured.err
    assert "Research use only" in captured.err
    images = pd.read_csv(tmp_path / "q" / "images.csv")
    assert images["image_id"].tolist() == ["i3"] * 4 + ["i0"] * 4
    summary = pd.read_csv(tmp_path / "q" / "summary.csv")
    mean = images[images["map"] == "layer2"]["iou"].mean()
    written = summary[(summary["map"] == "layer2") & (summary["measure"] == "iou")]["mean"].item()
    assert written == pytest.approx(mean, abs=1e-5)
    assert pd.read_csv(tmp_path / "q" / "excluded.csv")["image_id"].tolist() == ["i4"]
