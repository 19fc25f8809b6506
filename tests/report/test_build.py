import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lesionlens.core.errors import RunError
from lesionlens.evaluation.result import read_evaluation
from lesionlens.report.build import build_report
from lesionlens.report.content import REPORTED_METRICS


class Page(HTMLParser):
    """What a browser would load, and the text that it would show."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "srcset", "href", "xlink:href", "data", "poster", "action"}:
                self.sources.append((tag, name, value or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


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


def test_says_research_use_and_never_diagnosis_of_a_result(reported: Path) -> None:
    text = Page(reported / "report.html").text
    assert text.count("Research use only, not a medical device.") == 2
    assert "are no diagnosis" in text
    assert text.lower().count("diagnos") == 1


def test_numbers_on_the_page_are_those_of_the_evaluation(reported: Path) -> None:
    page = Page(reported / "report.html")
    evaluation = read_evaluation(reported / "evaluation" / "test.json")
    for each in evaluation.estimates:
        if math.isnan(each.value) or (each.metric not in REPORTED_METRICS and each.scope != "all"):
            continue
        assert f"{each.value:.3f}" in page.text, each
        assert f"{each.low:.3f}–{each.high:.3f}" in page.text, each
    found = evaluation.confusion_matrix[0][0]
    assert f"{found} of {evaluation.support[0]} images labelled melanoma" in page.text
    assert "of the test part, which had no say in training" in page.text


@pytest.mark.slow
def test_same_folder_gives_the_same_page(reported: Path) -> None:
    first = (reported / "report.html").read_bytes()
    assert build_report(reported).read_bytes() == first


def test_names_from_data_are_escaped(make_run) -> None:
    bad = "<script>alert(1)</script>"
    run = make_run(classes=("melanoma", bad), parts=("test",), n=40, blocks=())
    record = json.loads((run / "metadata.json").read_text())
    record["data"]["source"] = f"table:{bad}.csv"
    record["data"]["warnings"] = [bad]
    record["model"]["paper"] = f'{bad} doi:10.1/x"onclick="alert(1)'
    (run / "metadata.json").write_text(json.dumps(record))
    page = Page(build_report(run))
    assert "script" not in page.tags
    assert page.text.count("<script>") > 3
    assert ("a", "href", "https://doi.org/10.1/x&#34;onclick=&#34;alert(1)") not in page.sources
    assert all("onclick" not in value for _, _, value in page.sources)


def test_run_that_has_just_begun(make_run) -> None:
    run = make_run(parts=(), epochs=0, status="running")
    text = Page(build_report(run)).text
    assert "This run is not finished (status: running)" in text
    assert "Nothing has been measured yet" in text
    assert "No epoch is complete yet" in text
    assert "There are no predictions yet" in text
    assert "There is no test part" in text


def test_recipe_alone_is_enough_and_an_empty_folder_is_not(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"neither metadata\.json nor recipe\.yaml"):
        build_report(tmp_path)
    (tmp_path / "recipe.yaml").write_text("model: {name: arl_cnn14}\n")
    assert "arl_cnn14" in Page(build_report(tmp_path)).text


def test_damaged_files_are_named_not_crashed_on(make_run) -> None:
    run = make_run(n=40, blocks=())
    (run / "metrics.csv").write_bytes(b"\xff\xfe\x00\x01")
    (run / "evaluation" / "test.json").write_text("{")
    (
        run / "attention_maps" / next(path.name for path in sorted((run / "attention_maps").iterdir()))
    ).write_bytes(b"no picture")
    text = Page(build_report(run)).text
    assert "metrics.csv cannot be read" in text
    assert "evaluation/test.json cannot be read" in text
    assert "of the validation part" in text


def test_validation_alone_is_said_loudly(make_run) -> None:
    text = Page(build_report(make_run(parts=("validation",), n=40, blocks=()))).text
    assert "The reported images also chose the checkpoint." in text
    assert "This network has no scale gates" in text
    assert "The intervals are wide." in text


def test_few_lesions_get_no_interval_at_a_glance_and_notes_are_folded(make_run) -> None:
    page = build_report(make_run(parts=("test",), n=9, blocks=())).read_text()
    glance, rest = page.split('id="glance"')[1].split('id="run"')
    tiles = glance.split('class="remarks"')[0]
    assert tiles.count("too few lesions for an interval") == tiles.count('class="card"') > 1
    assert not re.search(r"\d–\d", tiles)
    numbers = rest.split('id="numbers"')[1].split('id="cases"')[0]
    folded = re.findall(
        r"<summary>(\d+) notes on these numbers</summary>\s*<ul class=.small.>(.*?)</ul>", numbers
    )
    assert folded
    for count, lines in folded:
        assert int(count) == lines.count("<li>") > 3


def test_how_maps_and_weights_are_read_is_said(reported: Path) -> None:
    text = Page(reported / "report.html").text
    assert "Maps of later stages are coarser and nearer to the decision" in text
    assert "In plain words: how much the network listens" in text


@pytest.mark.slow
def test_pictures_that_are_missing_are_said(make_run) -> None:
    run = make_run()
    for path in (run / "attention_maps").iterdir():
        path.unlink()
    page = Page(build_report(run))
    assert "The run's folder holds no picture of this image." in page.text
    assert "img" not in page.tags
