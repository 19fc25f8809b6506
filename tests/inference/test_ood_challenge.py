"""Detectors measured on generated and given unknown images with a small network."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lesionlens.cli.evaluate_ood import _unknown_images
from lesionlens.core.errors import DataError
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference import ood_challenge
from lesionlens.inference.inputs import collect_inputs
from lesionlens.inference.ood_challenge import OODEvaluation, OODOptions, evaluate_detectors, group_by_label
from lesionlens.inference.ood_plots import draw_ood_examples, draw_ood_report, write_ood_figures
from lesionlens.inference.ood_report import write_ood_report
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel
from lesionlens.synthesis.unknown_images import CHANGED_KINDS, RENDERED_KINDS, SKIMAGE_FILES
from lesionlens.uncertainty.ood_detectors import DETECTORS

from ..helpers.figure_layout import layout_faults
from ..helpers.images import write_image


@pytest.fixture
def loaded() -> LoadedModel:
    torch.manual_seed(0)
    spec = make_model_spec(backbone="test_resnet")
    preprocessing = Preprocessing(input_size=(32, 32))
    card = ModelCard(architecture=spec, classes=("melanoma", "nevus"), preprocessing=preprocessing)
    return LoadedModel(build_network(spec, 2).eval(), card)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for index in range(12):
        write_image(tmp_path / "known" / f"{index}.png", size=(40, 40), seed=index)
    return tmp_path / "known"


@pytest.mark.slow
def test_every_kind_and_detector_is_measured(loaded: LoadedModel, images: Path, tmp_path: Path) -> None:
    def measure() -> OODEvaluation:
        options = OODOptions(num_images=2, n_resamples=5)
        known = collect_inputs([images])
        mine = replace(known, label=("a class that the model does not know",) * 12)
        return evaluate_detectors(loaded, known, {"mine": mine}, options=options)

    report, examples = measure()
    kinds = [*RENDERED_KINDS, *SKIMAGE_FILES, *CHANGED_KINDS, "mine"]
    assert [(r.kind, r.detector, r.num_images) for r in report.results] == [
        (kind, name, 2) for kind in kinds for name in DETECTORS
    ]
    assert all(0 <= r.separation.auroc <= 1 for r in report.results)
    assert measure().report == report
    assert list(examples) == ["known", *kinds]
    assert all(image.shape == (128, 128, 3) for shown in examples.values() for image in shown)
    write_ood_report(tmp_path, report)
    write_ood_figures(tmp_path, report, examples)
    record = json.loads((tmp_path / "ood.json").read_text())
    assert record["num_known"] == record["num_calibrating"] == {"images": 6, "lesions": 6}
    rows = list(csv.DictReader((tmp_path / "ood.csv").read_text().splitlines()))
    assert [float(row["auroc"]) for row in rows] == [item["auroc"] for item in record["results"]]
    assert layout_faults(draw_ood_report(report)) == []
    assert layout_faults(draw_ood_examples(examples)) == []


def test_unreadable_images_are_excluded(
    loaded: LoadedModel, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (images, tmp_path / "mine"):
        write_image(folder / "readable.png", size=(40, 40))
        (folder / "0.png").write_bytes(b"no image")
    monkeypatch.setattr(ood_challenge, "_generators", lambda paths, seed: {})
    with pytest.warns(UserWarning, match=r"images that cannot be read are excluded \(1 of \d+\):\n.*0\.png"):
        report, examples = evaluate_detectors(
            loaded, collect_inputs([images]), {"mine": collect_inputs([tmp_path / "mine"])},
            options=OODOptions(num_images=2, n_resamples=5),
        )  # fmt: skip
    assert {result.num_images for result in report.results} == {len(examples["mine"])} == {1}
    assert report.num_calibrating[0] + report.num_known[0] == 12


def test_labels_are_kinds_of_their_own(images: Path) -> None:
    inputs = collect_inputs([images])
    assert list(group_by_label("mine", inputs)) == ["mine"]
    labeled = replace(inputs, label=("wart", "cyst", *[""] * 10))
    groups = group_by_label("mine", labeled)
    assert {name: len(group.image) for name, group in groups.items()} == {"mine, wart": 1, "mine, cyst": 1}


def test_few_known_lesions_are_rejected(loaded: LoadedModel, images: Path) -> None:
    known = collect_inputs(sorted(images.iterdir())[:9])
    with pytest.raises(DataError, match="of 9 lesions"):
        evaluate_detectors(loaded, known)


def test_a_kind_has_one_name(loaded: LoadedModel, images: Path) -> None:
    known = collect_inputs([images])
    with pytest.raises(DataError, match="the kind of images 'texture' exists already"):
        evaluate_detectors(loaded, known, {"texture": known})


def test_unknown_sources_of_the_same_name_are_rejected(images: Path) -> None:
    with pytest.raises(DataError, match="--unknown has two kinds of images 'known'"):
        _unknown_images([str(images), str(images)])
