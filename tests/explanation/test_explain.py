from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lesionlens.core import fonts
from lesionlens.core.errors import ImageError, ModelError
from lesionlens.evaluation.case_selection import ExampleCase
from lesionlens.explanation.attention_maps import attention_maps
from lesionlens.explanation.cam import gradient_map
from lesionlens.explanation.cell_positions import cell_grids
from lesionlens.explanation.crop_frames import draw_crop_frames
from lesionlens.explanation.explain import compute_maps, draw_map, explain, explain_image
from lesionlens.explanation.gallery import write_gallery
from lesionlens.explanation.overlay import image_grid, overlay
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.factory import build_network, create_model
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel, save_model
from lesionlens.models.spec import ModelSpec

from ..helpers.tolerances import close, terms_of

CLASSES = ("melanoma", "nevus")


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    torch.manual_seed(0)
    architecture = ModelSpec("test_resnet", "arl")
    network = build_network(architecture, 2).eval()
    # features after the last ReLU are not negative: all of them are evidence for melanoma and against nevus
    network.backbone.fc.weight.data = (
        torch.tensor([[1.0], [-1.0]]).expand_as(network.backbone.fc.weight).clone()
    )
    preprocessing = Preprocessing(input_size=(64, 64), crops="multi-scale", crop_count=4)
    return LoadedModel(
        network, ModelCard(architecture=architecture, classes=CLASSES, preprocessing=preprocessing)
    )


def write_image(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_overwritten_files_are_reported_first(loaded: LoadedModel, tmp_path: Path) -> None:
    images = [write_image(tmp_path / f"{name}.png") for name in "ab"]
    explain(loaded, images[1:], tmp_path / "out", methods=["gradcam"])
    with pytest.warns(
        UserWarning,
        match=r"already contains maps of 1 of 2 images, for example b\.panel\.png: they are overwr",
    ):
        explain(loaded, images, tmp_path / "out", methods=["gradcam"])


def test_writes_each_map_and_a_panel_in_the_images_aspect(loaded: LoadedModel, tmp_path: Path) -> None:
    paths = [write_image(tmp_path / "in" / "a.png"), write_image(tmp_path / "in2" / "a.png", seed=1)]
    calls: list[tuple[int, int]] = []
    written = explain(
        loaded, paths, tmp_path / "out", labels={paths[0]: "nevus"}, on_progress=lambda *at: calls.append(at)
    )
    assert calls == [(0, 2), (1, 2), (2, 2)]
    names = ["layer1", "layer2", "layer3", "layer4", "gradcam", "panel"]
    assert [path.name for path in written] == [
        f"{stem}.{name}.png" for stem in ("a", "a-2") for name in names
    ]
    with Image.open(tmp_path / "out" / "a.gradcam.png") as rendered:
        assert rendered.size == (120, 90)


def test_overlays_have_the_resolution_of_the_photograph(loaded: LoadedModel, tmp_path: Path) -> None:
    card = loaded.card
    reduced = replace(
        loaded,
        card=card.model_copy(
            update={"preprocessing": card.preprocessing.model_copy(update={"max_short_side": 30})}
        ),
    )
    path = write_image(tmp_path / "a.png")
    explain(reduced, [path], tmp_path / "out", methods=["gradcam"])
    with Image.open(tmp_path / "out" / "a.gradcam.png") as rendered:
        assert rendered.size == (120, 90)
    small = reduced.card.preprocessing.load_image(path)
    assert small.shape == (30, 40, 3)
    assert explain_image(reduced, small, methods=["gradcam"]).overlays["gradcam"].shape == small.shape


def test_raw_maps_do_not_show_the_image(loaded: LoadedModel, tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png")
    written = explain(
        loaded, [path], tmp_path / "out", methods=["gradcam", "attention-features"], raw_maps=True
    )
    features = [f"features-layer{stage}.0" for stage in (1, 2, 3, 4)]
    names = [f"{name}{end}" for name in ("gradcam", *features) for end in ("", ".raw")]
    assert [file.name for file in written] == [f"a.{name}.png" for name in [*names, "panel"]]
    raw = explain_image(loaded, np.asarray(Image.open(path)), methods=["gradcam"], raw_maps=True).overlays
    values = compute_maps(
        loaded.model,
        loaded.card.preprocessing.prepare_input(np.asarray(Image.open(path))),
        methods=["gradcam"],
    )["gradcam"]
    boxes = loaded.card.preprocessing.crop_boxes(90, 120)
    black = np.zeros((90, 120, 3), dtype=np.uint8)
    grid = cell_grids(loaded.model, torch.zeros(1, 3, 64, 64))[values.shape[-2], values.shape[-1]]
    expected = draw_map(black, values.numpy(), boxes, grid=grid, raw=True)
    np.testing.assert_array_equal(raw["gradcam.raw"], expected)


def test_paths_may_be_strings_and_the_model_a_directory(loaded: LoadedModel, tmp_path: Path) -> None:
    save_model(tmp_path / "model", loaded.model, loaded.card)
    image = write_image(tmp_path / "a.png")
    from_model = explain(loaded, [image], tmp_path / "one", labels={image: "nevus"})
    from_strings = explain(
        str(tmp_path / "model"), [str(image)], str(tmp_path / "two"), labels={str(image): "nevus"}
    )
    assert [path.name for path in from_strings] == [path.name for path in from_model]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(from_model, from_strings, strict=True))


def test_one_method_is_not_a_list(loaded: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"methods is one name, 'cam'; pass a list: \['cam'\]"):
        explain(loaded, [tmp_path / "a.png"], tmp_path / "out", methods="cam")


def test_missing_glyphs_of_panels_cause_one_warning(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "FALLBACK_FONTS", ())
    paths = [write_image(tmp_path / f"{name}.png") for name in ("痣", "a")]
    with pytest.warns(
        UserWarning, match="No installed font has the characters 痣瘤: the PNG files"
    ) as caught:
        explain(loaded, paths, tmp_path / "out", methods=["attention"], labels={paths[1]: "瘤"})
    assert len(caught) == 1


def test_scores_and_target_class(loaded: LoadedModel, tmp_path: Path) -> None:
    image = np.asarray(Image.open(write_image(tmp_path / "a.png")))
    explanation = explain_image(loaded, image, target_class="melanoma")
    crops = loaded.card.preprocessing.prepare_input(image)
    expected = loaded.model(crops).logits.softmax(dim=1).mean(dim=0)
    assert list(explanation.scores) == list(CLASSES)
    np.testing.assert_allclose(list(explanation.scores.values()), expected.detach(), rtol=1e-5)
    other_class = explain_image(loaded, image, target_class="nevus")
    assert (explanation.target_class, other_class.target_class) == CLASSES
    assert (other_class.overlays["gradcam"] != explanation.overlays["gradcam"]).any()
    np.testing.assert_array_equal(other_class.overlays["layer4"], explanation.overlays["layer4"])


def test_maps_are_of_the_scored_crops(loaded: LoadedModel, tmp_path: Path) -> None:
    image = np.asarray(Image.open(write_image(tmp_path / "a.png")))
    square = Preprocessing(input_size=(64, 64), crops="center-square")
    center_model = LoadedModel(loaded.model, loaded.card.model_copy(update={"preprocessing": square}))
    rendered = explain_image(center_model, image, target_class="melanoma").overlays["gradcam"]
    box = square.crop_boxes(90, 120)[0]
    assert box == CropBox(0, 15, 90, 90)
    center = image[:, 15:105]
    uncropped = LoadedModel(
        loaded.model, loaded.card.model_copy(update={"preprocessing": Preprocessing(input_size=(64, 64))})
    )
    expected = explain_image(uncropped, np.ascontiguousarray(center), target_class="melanoma").overlays[
        "gradcam"
    ]
    np.testing.assert_array_equal(rendered[:, 15:105], expected)
    assert rendered[:, :15].mean() > 1.2 * image[:, :15].mean()  # covered by white


def test_maps_with_lesion_roi(loaded: LoadedModel, tmp_path: Path) -> None:
    paths = [write_image(tmp_path / "a.png"), write_image(tmp_path / "b.png", seed=1)]
    mask = np.zeros((90, 120), np.uint8)
    mask[30:60, 20:80] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    with_roi = Preprocessing(input_size=(64, 64), roi_margin=0.5)  # rows 15 to 75, columns 0 to 110
    roi_model = LoadedModel(loaded.model, loaded.card.model_copy(update={"preprocessing": with_roi}))
    uncropped = Preprocessing(input_size=(64, 64))
    uncropped_model = LoadedModel(loaded.model, loaded.card.model_copy(update={"preprocessing": uncropped}))
    options: Any = {"methods": ("gradcam",), "target_class": "melanoma"}
    with pytest.warns(UserWarning, match=r"1 of 2 images are used uncropped, .* for example b\.png"):
        explain(roi_model, paths, tmp_path / "out", masks={paths[0]: tmp_path / "mask.png"}, **options)
    rendered = np.asarray(Image.open(tmp_path / "out" / "a.gradcam.png"))
    image = np.asarray(Image.open(paths[0]))
    expected = explain_image(uncropped_model, np.ascontiguousarray(image[15:75, :110]), **options)
    np.testing.assert_array_equal(rendered[15:75, :110], expected.overlays["gradcam"])
    assert rendered[:15].mean() > 1.2 * image[:15].mean()  # covered by white
    cases = [ExampleCase("a", "nevus", "melanoma", 0.9)]
    masks = {"a": tmp_path / "mask.png"}
    write_gallery(roi_model, {"a": paths[0]}, cases, tmp_path / "maps", methods=("gradcam",), masks=masks)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "maps" / "a.gradcam.png")), rendered)


def test_gallery_of_a_rest_class_without_score(loaded: LoadedModel, tmp_path: Path) -> None:
    card = loaded.card.model_copy(update={"multilabel": True})
    cases = [ExampleCase("a", "other", "other", 0.9)]
    paths = {"a": write_image(tmp_path / "a.png")}
    written = write_gallery(LoadedModel(loaded.model, card), paths, cases, tmp_path, methods=("cam",))
    assert [path.name for path in written] == ["a.png", "a.cam.png", "score_drops.csv"]
    image = np.asarray(Image.open(paths["a"]))
    expected = loaded.model(card.preprocessing.prepare_input(image)).logits.double().sigmoid().mean(dim=0)
    scores = explain_image(LoadedModel(loaded.model, card), image, methods=()).scores
    np.testing.assert_allclose(list(scores.values()), expected.detach(), rtol=1e-5)


@pytest.mark.parametrize("longer_side", [1024, 60])
def test_network_of_crops(tmp_path: Path, longer_side: int) -> None:
    torch.manual_seed(0)
    architecture = ModelSpec("test_resnet", "patch+gate", {"crops": 5, "end": True})
    preprocessing = Preprocessing(input_size=(64, 64), crops="grid", crop_count=5)
    card = ModelCard(architecture=architecture, classes=CLASSES, preprocessing=preprocessing)
    loaded = LoadedModel(build_network(architecture, 2).eval(), card)
    image = np.asarray(Image.open(write_image(tmp_path / "a.png")))
    explanation = explain_image(loaded, image, max_size=longer_side)
    expected = loaded.model(preprocessing.prepare_input(image)[None]).logits.softmax(dim=1)[0]
    np.testing.assert_allclose(list(explanation.scores.values()), expected.detach(), rtol=1e-5)
    assert list(explanation.overlays) == ["gate-layer2", "gate-layer3", "end-crops", "gradcam"]
    assert {rendered.shape for rendered in explanation.overlays.values()} == {explanation.image.shape}


def test_heads_are_one_image_grid(tmp_path: Path) -> None:
    torch.manual_seed(0)
    architecture = ModelSpec("test_resnet", "soft", {"heads": 4})
    preprocessing = Preprocessing(input_size=(64, 64))
    card = ModelCard(architecture=architecture, classes=CLASSES, preprocessing=preprocessing)
    loaded = LoadedModel(build_network(architecture, 2).eval(), card)
    written = explain(loaded, [write_image(tmp_path / "a.png")], tmp_path, methods=("heads", "gradcam++"))
    assert [path.name for path in written] == ["a.soft-heads.png", "a.gradcampp.png", "a.panel.png"]


def test_unreadable_images_are_skipped_with_one_warning(loaded: LoadedModel, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    good = write_image(tmp_path / "good.png")
    with pytest.warns(UserWarning, match=r"(?s)1 of 2 images were skipped.*broken"):
        written = explain(loaded, [broken, good], tmp_path, methods=("cam",))
    assert [path.name for path in written] == ["good.cam.png", "good.panel.png"]
    with pytest.raises(ImageError, match="the image cannot be read"):
        explain(loaded, [broken], tmp_path)


def test_unknown_class_suggests_the_nearest(loaded: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="did you mean 'melanoma'"):
        explain(loaded, [write_image(tmp_path / "a.png")], tmp_path, target_class="melanom")


def test_gallery_files_and_explained_class(loaded: LoadedModel, tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png")
    cases = [ExampleCase("clinic/1", "nevus", "melanoma", 0.9)]
    written = write_gallery(loaded, {"clinic/1": path}, cases, tmp_path / "maps")
    assert [path.name for path in written][:2] == ["clinic%2F1.png", "clinic%2F1.layer1.png"]
    image = np.asarray(Image.open(path))
    expected = explain_image(loaded, image, target_class="melanoma").overlays["gradcam"]
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "maps" / "clinic%2F1.gradcam.png")), expected
    )


CROPS = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(2))
IMAGE = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
BOXES = [CropBox(0, 0, 30, 20), CropBox(0, 20, 30, 20)]


def test_maps_of_a_network_of_single_images() -> None:
    torch.manual_seed(0)
    model = create_model(backbone="test_resnet", attention="gate", num_classes=2)
    maps = compute_maps(model, CROPS, target_index=1)
    assert list(maps) == ["gate-layer2", "gate-layer3", "gradcam"]
    expected = gradient_map(model, CROPS, target=torch.tensor([1, 1, 1]))
    torch.testing.assert_close(maps["gradcam"], expected, **close(expected, terms_of(model)))


def test_maps_of_a_network_of_crops() -> None:
    torch.manual_seed(0)
    model = create_model(backbone="test_resnet", attention="patch", num_classes=2, crops=3, end=True)
    maps = compute_maps(model, CROPS, target_index=1)
    assert {name: tuple(values.shape) for name, values in maps.items()} == {
        "end-crops": (3,),
        "gradcam": (3, 2, 2),
    }
    expected = attention_maps(model, CROPS[None])["end-crops"][0]
    torch.testing.assert_close(maps["end-crops"], expected, **close(expected, terms_of(model)))


def test_draw_map_by_number_of_axes() -> None:
    spatial = np.array([[[0.0]], [[1.0]]])
    stitched = np.repeat([[0.0, 1.0]], 30, axis=0).repeat(20, axis=1)
    np.testing.assert_array_equal(draw_map(IMAGE, spatial, BOXES), overlay(IMAGE, stitched))
    weights = np.array([0.3, 0.7])
    np.testing.assert_array_equal(draw_map(IMAGE, weights, BOXES), draw_crop_frames(IMAGE, BOXES, weights))
    heads = np.stack([spatial, 1 - spatial, spatial], axis=1)
    overlays = [draw_map(IMAGE, values, BOXES) for values in (spatial, 1 - spatial, spatial)]
    np.testing.assert_array_equal(draw_map(IMAGE, heads, BOXES), image_grid(overlays))


def test_image_grid_is_square_in_reading_order() -> None:
    images = [np.full((30, 40, 3), 10 * number, dtype=np.uint8) for number in range(7)]
    sheet = image_grid(images)
    assert sheet.shape == (45, 60, 3)
    assert sheet[7::15, 10::20, 0].tolist() == [[0, 10, 20], [30, 40, 50], [60, 255, 255]]
