import json
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from lesionlens.evaluation.case_selection import ExampleCase, select_cases
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions
from lesionlens.report.caveats import run_caveats
from lesionlens.report.content import setup_summary
from lesionlens.report.gallery import MAX_HTML_BYTES, gallery_cases
from lesionlens.report.load import load_run
from lesionlens.report.plots import attention_scale_plot, class_balance_plot, inline_svg, learning_curve_plot


def titles(run: Path) -> list[str]:
    return [each.title for each in run_caveats(load_run(run))]


def change(run: Path, **facts: object) -> None:
    record = json.loads((run / "metadata.json").read_text())
    (run / "metadata.json").write_text(json.dumps({**record, **facts}))


def test_sound_run_has_no_remark_on_its_making(make_run) -> None:
    found = titles(make_run(n=300))
    assert not [each for each in found if "split" in each or "checkpoint" in each or "finished" in each]


def test_few_lesions_are_named_with_their_number(make_run) -> None:
    run = load_run(make_run(n=30))
    few = next(each for each in run_caveats(run) if each.title == "Few lesions of some classes.")
    lesions = dict(zip(run.evaluations["test"].classes, run.evaluations["test"].lesion_support, strict=True))
    for name, number in lesions.items():
        assert (f"{name.replace('_', ' ')} ({number})" in few.text) == (number < 10)


def test_lesion_in_two_parts_is_found_from_the_predictions(make_run) -> None:
    run = make_run()
    found = read_predictions(run / "predictions" / "test.csv")
    lesion = found.lesion_id.copy()
    lesion[:2] = read_predictions(run / "predictions" / "validation.csv").lesion_id[0]
    write_predictions(
        run / "predictions" / "test.csv",
        Predictions(found.image_id, lesion, found.label, found.scores, found.classes),
    )
    assert "1 lesions are in both the validation and the test part." in titles(run)


def test_a_test_part_that_is_the_validation_part_shares_no_lesions_with_it(make_run) -> None:
    run = make_run()
    write_predictions(
        run / "predictions" / "test.csv", read_predictions(run / "predictions" / "validation.csv")
    )
    assert [each for each in titles(run) if "lesions are in both" in each]
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["data"] = {**recipe.get("data", {}), "checkpoint_split": "test"}
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert not [each for each in titles(run) if "lesions are in both" in each]


def test_remarks_of_the_split_and_statement_of_the_data_are_shown(make_run) -> None:
    run = make_run()
    data = json.loads((run / "metadata.json").read_text())["data"]
    change(
        run,
        data={
            **data,
            "caveats": ["3 lesions leak: basal_cell_carcinoma, x/basal_cell_carcinoma.csv"],
            "synthetic_data_notice": "Synthetic images.",
        },
    )
    texts = [each.text for each in run_caveats(load_run(run))]
    assert texts[:2] == [
        "Synthetic images.",
        "3 lesions leak: basal cell carcinoma, x/basal_cell_carcinoma.csv",
    ]


def test_kept_epoch_is_the_one_of_the_record(make_run) -> None:
    run = make_run()
    assert load_run(run).selected_epoch == 10
    change(run, best={"epoch": 0, "metric": "val_auc", "value": float("nan")})  # none had a finite value
    assert load_run(run).selected_epoch is None
    change(run, best={"epoch": 12, "metric": "val_auc", "value": 0.9})
    assert "The last epoch was the best." in titles(run)


def test_facts_hold_what_a_colleague_asks_first(reported: Path) -> None:
    found = dict(setup_summary(load_run(reported)))
    assert found["Parameters"] == "8,020,038"
    assert found["Crops"] == "the whole frame in training, 9 multi-scale in use"
    assert found["Kept epoch"] == "10, with validation AUC 0.863"
    assert found["Time"] == "13 min"
    assert found["Augmentation"] == "rotation 10, scale 0.1, horizontal flip 0.5"


def test_alpha_curves_have_a_panel_for_each_stage(make_run) -> None:
    blocks = ("layer1.0", "layer1.1", "layer4.0")
    log = load_run(make_run(blocks=blocks)).metrics
    figure = attention_scale_plot(log)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["α, stage 1", "α, stage 4"]
    np.testing.assert_allclose(figure.axes[0].lines[1].get_ydata(), log["alpha/layer1.1"])
    assert attention_scale_plot(log[["epoch", "lr"]]) is None
    soft = attention_scale_plot(log[["epoch"]].assign(**{"gamma/soft.attention": 0.01}))
    assert [axes.get_title(loc="left") for axes in soft.axes] == ["γ, soft attention"]


def test_learning_curves_leave_out_what_was_not_logged() -> None:
    log = pd.DataFrame({"epoch": [1, 2], "train_loss": [1.0, 0.5], "val_auc": [np.nan, np.nan]})
    assert len(learning_curve_plot(log).axes) == 1
    assert not learning_curve_plot(log[["epoch"]]).axes


def test_balance_bars_add_up() -> None:
    axes = class_balance_plot({"train": {"a": 3, "b": 4}, "test": {"b": 5}}).axes[0]
    assert [text.get_text() for text in axes.texts] == ["3", "9"]


def test_ids_of_two_figures_on_a_page_differ() -> None:
    figure = class_balance_plot({"train": {"a": 3}})
    first, second = (set(str(inline_svg(figure, name=name)).split('id="')[1:]) for name in ("one", "two"))
    ids = [{each.split('"')[0] for each in found} for found in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_right_by_a_hair_is_called_so_and_wrong_never(tmp_path: Path) -> None:
    scores = np.array([[0.49, 0.26, 0.25], [0.51, 0.25, 0.24], [0.3, 0.4, 0.3]])
    predictions = Predictions(["i", "j", "k"], ["i", "j", "k"], ["a", "a", "a"], scores, ("a", "b", "c"))
    found = gallery_cases(select_cases(predictions), tmp_path, predictions)
    assert {each.case.image_id: each.low_confidence for each in found} == {"i": True, "j": False, "k": False}


def test_pictures_shrink_until_they_fit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases = [ExampleCase(f"i{n}", "a", "a", 0.9) for n in range(24)]
    for case in cases:
        noise = Image.fromarray(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8))  # compresses worst
        for name in ("", ".gradcam", ".layer1", ".other"):
            noise.save(tmp_path / f"{case.image_id}{name}.png", compress_level=0)
    ids = np.array([case.image_id for case in cases])
    predictions = Predictions(ids, ids, np.full(24, "a"), np.tile([0.9, 0.1], (24, 1)), ("a", "b"))
    found = gallery_cases(cases, tmp_path, predictions)
    assert sum(len(tile.data_uri) for each in found for tile in each.images) <= MAX_HTML_BYTES
    assert [tile.title for tile in found[0].images] == ["image", "ARL mask, stage 1", "Grad-CAM", "other"]


def test_a_validation_part_that_chose_no_epoch_is_not_said_to_have(make_run) -> None:
    run = make_run(parts=("validation",))
    assert "The reported images also chose the checkpoint." in titles(run)
    change(run, checkpoint="last")
    assert "There is no measured test part." in titles(run)
    assert "The reported images also chose the checkpoint." not in titles(run)
