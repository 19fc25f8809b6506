"""Tests of figures of images: their selection, and that overlays equal those of `explain`; networks are untrained."""

import csv
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lesionlens.core.errors import RunError
from lesionlens.datasets.registry import load_table
from lesionlens.evaluation.predictions import Predictions
from lesionlens.explanation.explain import explain_image
from lesionlens.imaging.masks import write_mask
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.factory import build_network
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import load_saved_model, save_model
from lesionlens.models.spec import ModelSpec
from lesionlens.reproduction.figures.attention_maps import attention_maps_figure, crop_weights_figure
from lesionlens.reproduction.figures.base import CaptionedFigure, panels_with_matched_runs, panels_with_runs
from lesionlens.reproduction.figures.factory import render_figure
from lesionlens.reproduction.figures.image_selection import select_images
from lesionlens.reproduction.figures.preprocessing import preprocessing_figure
from lesionlens.reproduction.figures.scale_gates import attention_scale_curves
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.spec import TableSpec
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir
from lesionlens.runs.schema import Recipe
from lesionlens.synthesis.dataset import generate_dataset
from lesionlens.training.run import train

from ..helpers.fake_runs import write_fake_run

SIZE = (48, 64)
SIGHT = {"input_size": (64, 64), "max_short_side": 48}
NETWORKS: dict[str, tuple[ModelSpec, dict[str, Any]]] = {
    "plain": (ModelSpec("test_resnet", "none", {}), {}),
    "arl": (ModelSpec("test_resnet", "arl", {}), {}),
    "gate": (ModelSpec("test_resnet", "gate", {}), {}),
    "patch": (
        ModelSpec("test_resnet", "patch", {"crops": 5, "end": True}),
        {"crops": "grid", "crop_count": 5},
    ),
    "gray": (ModelSpec("test_resnet", "none", {}), {"color_constancy": "gray-world", "roi_margin": 0.2}),
}


@pytest.fixture(scope="module")
def synthetic_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate_dataset(tmp_path_factory.mktemp("images") / "ham", num_images=24, seed=5, size=SIZE)


@pytest.fixture(scope="module")
def cells(synthetic_set: Path) -> tuple[RunCell, ...]:
    """Write a run of each network, with constant scores and random weights."""
    table = load_table(f"ham10000:{synthetic_set}")
    ids = np.array(table.frame["image_id"])
    scores = np.full((len(ids), len(table.classes)), 1 / len(table.classes))
    labels, lesions = np.array(table.frame["diagnosis"]), np.array(table.frame["lesion_id"])
    predictions = Predictions(ids, lesions, labels, scores, table.classes)
    recipe = Recipe.model_validate(
        {"data": f"ham10000:{synthetic_set}", "model": {"backbone": "test_resnet"}}
    )
    made = []
    for name, (architecture, sight) in NETWORKS.items():
        torch.manual_seed(0)
        run = write_fake_run(synthetic_set.with_name(name), predictions, statement="drawn", n_resamples=0)
        card = ModelCard(
            architecture=architecture, classes=table.classes, preprocessing=Preprocessing(**SIGHT, **sight)
        )
        save_model(run.best_model, build_network(architecture, len(table.classes)), card)
        made.append(RunCell(name, "", 0, None, recipe, run, "finished"))
    return tuple(made)


def results(cells: Sequence[RunCell], figure: dict[str, Any]) -> TableResults:
    rows = [
        {"name": name, "recipe": "demo"} for name in dict.fromkeys([*NETWORKS, *(cell.row for cell in cells)])
    ]
    experiment = TableSpec.model_validate({
        "paper": "open", "title": "Fig. 9", "caption": "", "source": "", "dataset": "ham10000", "rows": rows,
        "figure": {"caption": "Made up.", **figure},
    })  # fmt: skip
    return TableResults("open/made-up", experiment, tuple(cells), "paper", {}, (), Path())


def shown(sketch: CaptionedFigure | None) -> list[NDArray[np.uint8]]:
    assert sketch is not None
    return [np.asarray(axes.images[0].get_array()) for axes in sketch.figure.axes if axes.images]


def titles(sketch: CaptionedFigure | None) -> list[str]:
    assert sketch is not None
    return [axes.get_title() for axes in sketch.figure.axes if axes.images]


def explained(cell: RunCell, paths: Sequence[Path], name: str, **options: Any) -> list[NDArray[np.uint8]]:
    loaded = load_saved_model(cell.run_dir.best_model)
    return [explain_image(loaded, np.asarray(Image.open(path)), **options).overlays[name] for path in paths]


def test_maps_are_those_of_explain_for_one_image_of_each_class(
    cells: tuple[RunCell, ...], synthetic_set: Path
) -> None:
    panels = [{"row": "plain", "map": "cam", "target_class": "nevus"}, {"row": "gate", "map": "gate layer3"}]
    sketch = attention_maps_figure(results(cells, {"kind": "maps", "count": 4, "panels": panels}))
    table = load_table(f"ham10000:{synthetic_set}")
    first = table.frame.sort_values("image_id").groupby("diagnosis").first()
    taken = [name for name in table.classes if name in first.index][:4]
    paths = [Path(first.loc[name, "path"]) for name in taken]
    tiles = shown(sketch)
    assert titles(sketch)[:4] == [name.replace("_", " ") for name in taken]
    assert all(title.startswith("nevus 0.") for title in titles(sketch)[4:8])
    by_name = {cell.row: cell for cell in cells}
    cam = explained(by_name["plain"], paths, "cam", methods=("cam",), target_class="nevus")
    gate = explained(by_name["gate"], paths, "gate-layer3", methods=("attention",))
    for tile, overlay in zip(tiles[4:], [*cam, *gate], strict=True):
        np.testing.assert_array_equal(tile, overlay)
    for tile, path in zip(tiles[:4], paths, strict=True):
        np.testing.assert_array_equal(tile, np.asarray(Image.open(path)))
    assert sketch is not None
    assert sketch.notes == ()


def test_maps_of_replaced_layers_have_notes(cells: tuple[RunCell, ...], tmp_path: Path) -> None:
    panels = [
        {"row": "gate", "map": "gate-pool3"},
        {"row": "gate", "map": "gate-pool9"},
        {"row": "gate", "map": "cam"},
    ]
    maps = results(cells, {"kind": "maps", "count": 1, "panels": panels})
    (written,) = render_figure(replace(maps, tap_aliases={"pool3": "layer2"}), tmp_path)
    assert written.note == (
        "gate has no map gate-pool3 here; shown is gate at layer2. gate has no map gate-pool9 here; shown is gate at "
        "layer3. gate has no map cam here; shown is Grad-CAM."
    )
    assert not written.path.with_suffix(".svg").exists()


def test_small_lesions_come_before_large_ones(cells: tuple[RunCell, ...], synthetic_set: Path) -> None:
    selected = select_images(panels_with_runs(results(cells, {"kind": "maps"}))[0], "sizes", 6).images
    areas = {path.stem.removesuffix("_segmentation"): float((np.asarray(Image.open(path)) > 0).mean())
             for path in (synthetic_set / "masks").iterdir()}  # fmt: skip
    ranked = sorted(areas, key=lambda name: (areas[name], name))
    assert [image.image_id for image in selected] == [*ranked[:3], *ranked[-3:]]
    assert selected[-1].detail == f"lesion {areas[ranked[-1]]:.0%}"


def test_each_artifact_is_shown_in_turn(cells: tuple[RunCell, ...], synthetic_set: Path) -> None:
    selected = select_images(panels_with_runs(results(cells, {"kind": "maps"}))[0], "artifacts", 4).images
    with (synthetic_set / "artifacts.csv").open(encoding="utf-8") as stream:
        rows = {row["image_id"]: row for row in csv.DictReader(stream)}
    for image in selected:
        artifacts = [kind for kind, mark in rows[image.image_id].items() if mark == "1"]
        assert image.detail == ", ".join(artifacts).replace("_", " ") != ""
    assert len({image.image_id for image in selected}) == 4


def test_unknown_artifacts_fall_back_to_classes(cells: tuple[RunCell, ...], synthetic_set: Path) -> None:
    path = synthetic_set / "artifacts.csv"
    path.rename(synthetic_set / "hidden")
    try:
        choice = select_images(panels_with_runs(results(cells, {"kind": "maps"}))[0], "artifacts", 3)
    finally:
        (synthetic_set / "hidden").rename(path)
    assert len({image.label for image in choice.images}) == 3
    assert choice.notes == (
        "Images are one of each class in turn: there is no table of these images' artifacts.",
    )


def test_frames_of_crops_are_those_of_explain(cells: tuple[RunCell, ...]) -> None:
    sketch = crop_weights_figure(results(cells, {"kind": "crops", "panels": [{"row": "patch"}]}))
    patch = next(cell for cell in cells if cell.row == "patch")
    images = select_images(panels_with_runs(results([patch], {"kind": "crops"}))[0], "classes", 3).images
    expected = explained(patch, [image.path for image in images], "end-crops", methods=("attention",))
    for tile, frames in zip(shown(sketch)[3:6], expected, strict=True):
        np.testing.assert_array_equal(tile, frames)
    assert all(re.search(r" [01]\.\d\d$", title) for title in titles(sketch)[3:6])
    assert not any(
        np.array_equal(image, frames) for image, frames in zip(shown(sketch)[:3], expected, strict=True)
    )


def test_preprocessing_rows(cells: tuple[RunCell, ...]) -> None:
    sketch = preprocessing_figure(
        results(cells, {"kind": "preprocessing", "count": 2, "panels": [{"row": "gray"}]})
    )
    before, after, masks, cropped = (shown(sketch)[index : index + 2] for index in (0, 2, 4, 6))
    for index in range(2):
        casts = [np.ptp(image[index].reshape(-1, 3).mean(axis=0)) for image in (before, after)]
        assert casts[1] < 2 < casts[0]
        rows, columns = np.nonzero(masks[index][..., 0])
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        # with a margin of at most a fifth, inside the image
        assert height <= cropped[index].shape[0] <= min(1.4 * height + 2, SIZE[0])
        assert width <= cropped[index].shape[1] <= min(1.4 * width + 2, SIZE[1])


def test_masks_of_a_folder_are_shown_without_a_crop(
    cells: tuple[RunCell, ...], synthetic_set: Path, tmp_path: Path
) -> None:
    source = load_table(f"ham10000:{synthetic_set}")
    for image_id in source.frame["image_id"]:
        write_mask(tmp_path / f"{image_id}.png", np.indices(SIZE)[0] < SIZE[0] // 4)
    (cell,) = (cell for cell in cells if cell.row == "plain")
    data = cell.recipe.data.model_copy(update={"mask_dir": str(tmp_path)})
    predicted = replace(cell, recipe=cell.recipe.model_copy(update={"data": data}))
    sketch = preprocessing_figure(
        results([predicted], {"kind": "preprocessing", "count": 2, "panels": [{"row": "plain"}]})
    )
    _, _, *masks = shown(sketch)
    assert [mask.mean() / 255 for mask in masks] == pytest.approx([0.25, 0.25], abs=0.02)


def test_figure_of_unprocessed_inputs_raises(cells: tuple[RunCell, ...]) -> None:
    with pytest.raises(
        RunError, match=r"needs data\.color_constancy, data\.hair_removal, data\.mask_dir or crops"
    ):
        preprocessing_figure(results(cells, {"kind": "preprocessing", "panels": [{"row": "plain"}]}))


def with_log(cell: RunCell, folder: Path, run: int, log: str) -> RunCell:
    shutil.copytree(cell.run_dir.path, folder)
    copy = RunDir(folder)
    copy.metrics_csv.write_text(log)
    return replace(cell, run=run, run_dir=copy)


def test_gates_are_the_mean_of_runs_over_epochs_that_all_reached(
    cells: tuple[RunCell, ...], tmp_path: Path
) -> None:
    arl = next(cell for cell in cells if cell.row == "arl")
    head = "epoch,alpha/layer2.0,alpha/layer3.0\n"
    runs = [
        with_log(arl, tmp_path / "0", 0, head + "1,0.1,0.5\n2,0.2,0.5\n3,0.9,0.5\n"),
        with_log(arl, tmp_path / "1", 1, head + "1,0.3,0.5\n2,0.6,0.5\n"),
    ]
    scales = {"alpha/layer2.3": "13th layer", "alpha/layer9.0": "81st layer"}
    sketch = attention_scale_curves(
        results(runs, {"kind": "attention-scales", "attention_scales": scales, "panels": [{"row": "arl"}]})
    )
    assert sketch is not None
    assert sketch.notes == (
        "arl has no gate layer2.3 here; layer2.0 is shown.",
        "arl has no gate layer9.0 here.",
    )
    curves = next(
        axes for axes in sketch.figure.axes if axes.get_title(loc="left") == "13th layer\n(layer2.0)"
    )
    lines = {line.get_label(): line.get_xydata().tolist() for line in curves.lines}
    assert lines["runs"] == [[1, 0.1], [2, 0.2], [3, 0.9]]
    np.testing.assert_allclose(lines["mean of runs"], [[1, 0.2], [2, 0.4]])
    # next to the curves is the attention feature map of the gate's block
    image = select_images(panels_with_runs(results(runs, {"kind": "maps"}))[0], "classes", 1).images[0]
    features = explained(runs[0], [image.path], "features-layer2.0", methods=("attention-features",))[0]
    np.testing.assert_array_equal(shown(sketch)[1], features)


def test_network_without_gates_is_reported(cells: tuple[RunCell, ...], tmp_path: Path) -> None:
    run = with_log(cells[0], tmp_path / "0", 0, "epoch,lr\n1,0.1\n")
    with pytest.raises(RunError, match="the log of plain has no scale gates"):
        attention_scale_curves(
            results(
                [run],
                {
                    "kind": "attention-scales",
                    "attention_scales": {"alpha/layer2.0": "x"},
                    "panels": [{"row": "plain"}],
                },
            )
        )


def test_panels_of_folds_are_compared_on_the_same_one(cells: tuple[RunCell, ...]) -> None:
    first, second, *_ = cells
    runs = [replace(first, fold=1), replace(first, fold=2), replace(second, fold=0), replace(second, fold=2)]
    panels, _ = panels_with_matched_runs(results(runs, {"kind": "maps"}))
    assert [[cell.fold for cell in panel.cells] for panel in panels] == [[2], [2]]


@pytest.mark.slow
def test_trained_runs_are_plotted(synthetic_set: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("data: {source: 'ham10000:.'}\nmodel: {}\n")
    base_overrides = [
        f"data=ham10000:{synthetic_set}", f"data.cache_dir={tmp_path / 'cache'}", "data.max_short_side=48",
        "data.test_fraction=0.3",
        "model.backbone=test_resnet", "model.input_size=64", "train.epochs=1", "train.batch_size=8",
    ]  # fmt: skip
    made = []
    for name in ("arl", "gate", "soft", "patch"):
        overrides = [
            *base_overrides,
            f"model.attention={name}",
            *(["model.kwargs={crops: 5, end: true}"] if name == "patch" else []),
        ]
        run = RunDir(train(str(tmp_path / "r.yaml"), overrides, out=tmp_path / name))
        made.append(RunCell(name, "", 0, None, load_recipe(str(run.recipe)), run, "finished"))
    panels = [{"row": cell.row} for cell in made]
    for kind in ("maps", "attention-scales", "roc"):
        figure = {
            "kind": kind,
            "panels": panels[:1] if kind == "attention-scales" else panels,
            "attention_scales": {"alpha/layer3.0": "last"},
        }
        (written,) = render_figure(results(made, figure), tmp_path / "figures")
        assert written.note == ""
        with Image.open(written.path) as image:
            assert min(image.size) > 300
