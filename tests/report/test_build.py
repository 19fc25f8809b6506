"""The HTML report: self-contained, escaped, complete, and explicit about what is missing."""

import json
import math
import re
from pathlib import Path

import pytest

from lesionlens.core.errors import RunError
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.registry import TABULATED_METRICS
from lesionlens.evaluation.result import read_evaluation
from lesionlens.report.build import build_report

from ..helpers.html_page import Page


def test_page_loads_nothing(reported: Path) -> None:
    path = reported / "report.html"
    page = Page(path)
    assert "img" in page.tags
    assert "svg" in page.tags
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    for tag, _, value in page.sources:
        links = ("#", "https://doi.org/") if tag == "a" else ("#", "data:image/")
        assert value.startswith(links), (tag, value[:60])
    html = path.read_text()
    assert "@import" not in html
    assert "@font-face" not in html
    assert not re.search(r"url\((?!#)", html)
    assert path.stat().st_size < 3_000_000


def test_page_states_research_use(reported: Path) -> None:
    text = Page(reported / "report.html").text
    assert text.count("Research use only, not a medical device.") == 2
    assert "are not a diagnosis" in text
    assert text.lower().count("diagnos") == 1


def test_page_has_the_metrics_of_the_evaluation(reported: Path) -> None:
    page = Page(reported / "report.html")
    evaluation = read_evaluation(reported / "evaluation" / "test.json")
    for estimate in evaluation.estimates:
        if math.isnan(estimate.value) or (
            estimate.metric not in TABULATED_METRICS and estimate.scope is not OVERALL
        ):
            continue
        assert f"{estimate.value:.3f}" in page.text, estimate
        assert f"{estimate.low:.3f}–{estimate.high:.3f}" in page.text, estimate
    correct = evaluation.confusion_matrix[0][0]
    assert f"{correct} of {evaluation.support[0]} images with the label melanoma" in page.text
    assert "of the test split, which was not used in training" in page.text


@pytest.mark.slow
def test_page_is_deterministic(reported: Path) -> None:
    first = (reported / "report.html").read_bytes()
    assert build_report(reported).read_bytes() == first


def test_names_from_the_data_are_escaped(make_run) -> None:
    script = "<script>alert(1)</script>"
    run = make_run(classes=("melanoma", script), splits=("test",), n=40, blocks=())
    metadata = json.loads((run / "metadata.json").read_text())
    metadata["data"]["source"] = f"table:{script}.csv"
    metadata["data"]["warnings"] = [script]
    metadata["model"]["paper"] = f'{script} doi:10.1/x"onclick="alert(1)'
    (run / "metadata.json").write_text(json.dumps(metadata))
    page = Page(build_report(run))
    assert "script" not in page.tags
    assert page.text.count("<script>") > 3
    assert ("a", "href", "https://doi.org/10.1/x&#34;onclick=&#34;alert(1)") not in page.sources
    assert all("onclick" not in value for _, _, value in page.sources)


def test_run_without_an_epoch(make_run) -> None:
    run = make_run(splits=(), epochs=0, status="running")
    text = Page(build_report(run)).text
    assert "This run is not finished (status: running)" in text
    assert "The run has not been evaluated yet" in text
    assert "No epoch is complete yet" in text
    assert "There are no predictions yet" in text
    assert "There is no test split" in text


def test_recipe_is_enough_for_a_report(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"neither metadata\.json nor recipe\.yaml"):
        build_report(tmp_path)
    (tmp_path / "recipe.yaml").write_text("model: {name: arl_cnn14}\n")
    assert "arl_cnn14" in Page(build_report(tmp_path)).text


def test_damaged_files_are_reported(make_run) -> None:
    run = make_run(n=40, blocks=())
    (run / "metrics.csv").write_bytes(b"\xff\xfe\x00\x01")
    (run / "evaluation" / "test.json").write_text("{")
    (
        run / "attention_maps" / next(path.name for path in sorted((run / "attention_maps").iterdir()))
    ).write_bytes(b"not an image")
    text = Page(build_report(run)).text
    assert "metrics.csv cannot be read" in text
    assert "evaluation/test.json cannot be read" in text
    assert "of the validation split" in text


def test_missing_test_split_has_a_caveat(make_run) -> None:
    text = Page(build_report(make_run(splits=("validation",), n=40, blocks=()))).text
    assert "The reported images also selected the checkpoint." in text
    assert "This network has no attention scales" in text
    assert "The intervals are wide." in text


def test_few_lesions_have_no_headline_interval(make_run) -> None:
    page = build_report(make_run(splits=("test",), n=9, blocks=())).read_text()
    glance, rest = page.split('id="glance"')[1].split('id="run"')
    cards = glance.split('class="remarks"')[0]
    assert cards.count("too few lesions for an interval") == cards.count('class="card"') > 1
    assert not re.search(r"\d–\d", cards)
    numbers = rest.split('id="numbers"')[1].split('id="cases"')[0]
    collapsed = re.findall(
        r"<summary>(\d+) notes on these metrics</summary>\s*<ul class=.small.>(.*?)</ul>", numbers
    )
    assert collapsed
    for count, lines in collapsed:
        assert int(count) == lines.count("<li>") > 3


def test_tables_scroll_below_a_pinned_first_column(reported: Path) -> None:
    html = (reported / "report.html").read_text(encoding="utf-8")
    tables = html.count("<table")
    assert tables == len(
        re.findall(r'<div class="wide" tabindex="0" role="region" aria-label="[^"]+">\s*<table', html)
    )
    assert re.search(r"\.wide th:first-child \{ position: sticky; left: 0;", html)
    head = re.search(r'<table class="numbers">\s*<thead>(.*?)</thead>', html, re.DOTALL)
    assert head is not None
    assert re.findall(r"<th[^>]*>(.*?)</th>", head.group(1))[:2] == ["Class", "AUC"]
    evaluation = read_evaluation(reported / "evaluation" / "test.json")
    images, lesions = evaluation.support[0], evaluation.lesion_support[0]
    assert f"<th>melanoma<span>{images} images, {lesions} lesions</span></th>" in html


def test_page_explains_maps_and_scales(reported: Path) -> None:
    text = Page(reported / "report.html").text
    assert "Maps of later stages are coarser and closer to the prediction" in text
    assert "how much the network uses attention, not how good the attention is" in text


@pytest.mark.slow
def test_missing_images_are_reported(make_run) -> None:
    run = make_run()
    for path in (run / "attention_maps").iterdir():
        path.unlink()
    page = Page(build_report(run))
    assert "The run's folder does not have this image." in page.text
    assert "img" not in page.tags
