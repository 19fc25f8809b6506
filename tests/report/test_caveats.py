"""Caveats, setup, figures and gallery of a report."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from lesionlens.datasets.splits.base import NO_TEST_SPLIT_CAVEAT, SplitCaveat
from lesionlens.evaluation.case_selection import ExampleCase, select_cases
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions
from lesionlens.report.caveats import run_caveats
from lesionlens.report.gallery import MAX_HTML_BYTES, gallery_cases
from lesionlens.report.load import load_run
from lesionlens.report.plots import attention_scale_plot, class_balance_plot, inline_svg, learning_curve_plot
from lesionlens.report.setup import setup_summary


def titles(run: Path) -> list[str]:
    return [caveat.title for caveat in run_caveats(load_run(run))]


def change(run: Path, **changes: object) -> None:
    metadata = json.loads((run / "metadata.json").read_text())
    (run / "metadata.json").write_text(json.dumps({**metadata, **changes}))


def test_sound_run_has_no_caveat_about_its_training(make_run) -> None:
    terms = ("split", "checkpoint", "finished")
    assert not [title for title in titles(make_run(n=300)) if any(term in title for term in terms)]


def test_few_lesions_are_counted_per_class(make_run) -> None:
    run = load_run(make_run(n=30))
    few = next(caveat for caveat in run_caveats(run) if caveat.title == "Few lesions of some classes.")
    lesions = dict(zip(run.evaluations["test"].classes, run.evaluations["test"].lesion_support, strict=True))
    for name, number in lesions.items():
        assert (f"{name.replace('_', ' ')} ({number})" in few.text) == (number < 10)


def test_leaked_lesions_are_detected(make_run) -> None:
    run = make_run()
    test = read_predictions(run / "predictions" / "test.csv")
    lesion = test.lesion_id.copy()
    lesion[:2] = read_predictions(run / "predictions" / "validation.csv").lesion_id[0]
    write_predictions(
        run / "predictions" / "test.csv",
        Predictions(test.image_id, lesion, test.label, test.scores, test.classes),
    )
    assert "Data leakage: 1 lesion in both the validation and the test split." in titles(run)


def test_equal_splits_are_not_reported_as_leakage(make_run) -> None:
    run = make_run()
    write_predictions(
        run / "predictions" / "test.csv", read_predictions(run / "predictions" / "validation.csv")
    )
    assert [title for title in titles(run) if "in both" in title]
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["data"] = {**recipe.get("data", {}), "checkpoint_split": "test"}
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert not [title for title in titles(run) if "in both" in title]


def test_recorded_caveats_are_shown(make_run) -> None:
    run = make_run()
    data = json.loads((run / "metadata.json").read_text())["data"]
    change(
        run,
        data={
            **data,
            "caveats": [
                {
                    "text": "3 lesions leak: basal_cell_carcinoma, x/basal_cell_carcinoma.csv",
                    "kind": "leakage",
                },
                "a sentence of an earlier version",
            ],
            "synthetic_data_notice": "Synthetic images.",
        },
    )
    texts = [caveat.text for caveat in run_caveats(load_run(run))]
    assert texts[:3] == [
        "Synthetic images.",
        "3 lesions leak: basal cell carcinoma, x/basal_cell_carcinoma.csv",
        "a sentence of an earlier version",
    ]


def test_missing_test_split_is_reported_once(make_run) -> None:
    run = make_run(splits=("validation",))
    data = json.loads((run / "metadata.json").read_text())["data"]
    other = SplitCaveat("no test split is mentioned here, but of another dataset")
    change(run, data={**data, "caveats": [NO_TEST_SPLIT_CAVEAT._asdict(), other._asdict()]})
    texts = [caveat.text for caveat in run_caveats(load_run(run)) if caveat.title == "About the split:"]
    assert texts == [other.text]


def test_selected_epoch_is_the_recorded_one(make_run) -> None:
    run = make_run()
    assert load_run(run).selected_epoch == 10
    change(run, best={"epoch": 0, "metric": "val_auc", "value": float("nan")})  # none had a finite value
    assert load_run(run).selected_epoch is None
    change(run, best={"epoch": 12, "metric": "val_auc", "value": 0.9})
    assert "The last epoch was the best." in titles(run)


def test_setup_summary(reported: Path) -> None:
    setup = dict(setup_summary(load_run(reported)))
    assert setup["Parameters"] == "8,020,038"
    assert setup["Crops"] == "the full image in training, 9 multi-scale in inference"
    assert setup["Optimizer"].startswith("SGD, learning rate 0.02 (cosine), batch 32")
    assert setup["Selected epoch"] == "10, with validation AUC 0.863"
    assert setup["Time"] == "13 min"
    assert setup["Augmentation"] == "rotation 10, scale 0.1, horizontal flip 0.5"


def test_attention_scale_plot_has_a_panel_per_stage(make_run) -> None:
    blocks = ("layer1.0", "layer1.1", "layer4.0")
    log = load_run(make_run(blocks=blocks)).metrics
    figure = attention_scale_plot(log)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["α, stage 1", "α, stage 4"]
    np.testing.assert_allclose(figure.axes[0].lines[1].get_ydata(), log["alpha/layer1.1"])
    assert attention_scale_plot(log[["epoch", "lr"]]) is None
    soft = attention_scale_plot(log[["epoch"]].assign(**{"gamma/soft.attention": 0.01}))
    assert [axes.get_title(loc="left") for axes in soft.axes] == ["γ, soft attention"]


def test_learning_curves_omit_unlogged_columns() -> None:
    log = pd.DataFrame({"epoch": [1, 2], "train_loss": [1.0, 0.5], "val_auc": [np.nan, np.nan]})
    assert len(learning_curve_plot(log).axes) == 1
    assert not learning_curve_plot(log[["epoch"]]).axes


def test_class_balance_bars_add_up() -> None:
    axes = class_balance_plot({"train": {"a": 3, "b": 4}, "test": {"b": 5}}).axes[0]
    assert [text.get_text() for text in axes.texts] == ["3", "9"]


def test_svg_ids_are_unique_per_figure() -> None:
    figure = class_balance_plot({"train": {"a": 3}})
    first, second = (set(str(inline_svg(figure, name=name)).split('id="')[1:]) for name in ("one", "two"))
    ids = [{text.split('"')[0] for text in texts} for texts in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_only_correct_predictions_are_low_confidence(tmp_path: Path) -> None:
    scores = np.array([[0.49, 0.26, 0.25], [0.51, 0.25, 0.24], [0.3, 0.4, 0.3]])
    predictions = Predictions(["i", "j", "k"], ["i", "j", "k"], ["a", "a", "a"], scores, ("a", "b", "c"))
    cases = gallery_cases(select_cases(predictions), tmp_path, predictions)
    assert {case.case.image_id: case.low_confidence for case in cases} == {"i": True, "j": False, "k": False}


@pytest.mark.slow
def test_gallery_images_shrink_to_the_budget(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases = [ExampleCase(f"i{n}", "a", "a", 0.9) for n in range(24)]
    for case in cases:
        noise = Image.fromarray(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8))  # compresses worst
        for name in ("", ".gradcam", ".layer1", ".other"):
            noise.save(tmp_path / f"{case.image_id}{name}.png", compress_level=0)
    ids = np.array([case.image_id for case in cases])
    predictions = Predictions(ids, ids, np.full(24, "a"), np.tile([0.9, 0.1], (24, 1)), ("a", "b"))
    gallery = gallery_cases(cases, tmp_path, predictions)
    assert sum(len(image.data_uri) for case in gallery for image in case.images) <= MAX_HTML_BYTES
    assert [image.title for image in gallery[0].images] == ["image", "ARL mask, stage 1", "Grad-CAM", "other"]


def test_validation_split_without_selection_has_another_caveat(make_run) -> None:
    run = make_run(splits=("validation",))
    assert "The reported images also selected the checkpoint." in titles(run)
    change(run, checkpoint="last")
    assert "There is no evaluated test split." in titles(run)
    assert "The reported images also selected the checkpoint." not in titles(run)
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["train"]["early_stopping"] = {"patience": 3}
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert "The reported images also selected the checkpoint." in titles(run)
