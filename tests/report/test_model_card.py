"""The model card of a run: every number is that of a file, and it parses as Hugging Face's cards do."""

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard as HubCard
from typer.testing import CliRunner

from lesionlens.cli import app
from lesionlens.core.errors import LesionLensError, RunError
from lesionlens.evaluation.registry import METRICS
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.model_card import ModelCard
from lesionlens.models.spec import ModelSpec
from lesionlens.report.author_statements import AuthorStatements
from lesionlens.report.card_evidence import gather_evidence
from lesionlens.report.card_inputs import load_card_inputs
from lesionlens.report.guidelines import reporting_guidelines
from lesionlens.report.markdown import escape_markdown
from lesionlens.report.model_card import write_model_card

SCOPES = {"macro": "mean of classes", "weighted": "weighted mean", "all": "all images"}
CALIBRATION = {
    "format": 1, "split": "validation", "n_images": 1102, "n_lesions": 1041, "classes": ["melanoma", "nevus"],
    "independent": False, "method": "temperature", "scale": [0.7293, 0.7293], "bias": [0.0, 0.0],
    "temperature": {"value": 1.3712, "low": 1.21, "high": 1.5},
    "lesions_by_class": {"melanoma": 31, "nevus": 1010},
    "prediction_sets": [
        {"coverage": 0.9, "quantile": 0.81236, "class_quantiles": {"melanoma": 0.71, "nevus": None}}
    ],
    "operating_points": [
        {"class_name": "melanoma", "rule": "youden", "threshold": 0.3211, "n_lesions": 31, "n_other_lesions": 1010,
         "sensitivity": {"value": 0.8123, "low": 0.7, "high": 0.9},
         "specificity": {"value": 0.7411, "low": 0.7, "high": 0.8},
         "ppv": {"value": 0.0883, "low": 0.05, "high": 0.13}, "npv": {"value": 0.9922, "low": 0.98, "high": 1.0}}
    ],
    "ood": {"detector": "knn", "false_alarm_rate": 0.05, "cutoff": 0.41, "n_lesions": 1041},
    "caveats": ["From the validation split."],
}  # fmt: skip


@pytest.fixture
def run(make_run: Callable[..., Path]) -> Path:
    return add_model(make_run())


def add_model(run: Path, name: str | None = "arl_cnn14") -> Path:
    classes = json.loads((run / "metadata.json").read_text())["data"]["classes"]
    card = ModelCard(
        name=name, architecture=ModelSpec(backbone="resnet18"), classes=classes, preprocessing=Preprocessing()
    )
    (run / "model").mkdir()
    (run / "model" / "model_card.json").write_text(card.model_dump_json())
    return run


def card_text(run: Path) -> str:
    return write_model_card(run).read_text()


def section(text: str, title: str) -> str:
    """Return the text below a heading, up to the next one of the same or a higher level."""
    level = title.index(" ")
    start = text.index(f"\n{title}\n") + len(title) + 2
    following = re.search(rf"^#{{1,{level}}} ", text[start:], re.MULTILINE)
    return text[start : start + following.start()] if following else text[start:]


def table_cells(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (row, column, cell) of all tables of a text."""
    header: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells or set(cells) == {"---"}:
            header = header if cells else []
        elif not header:
            header = cells
        else:
            yield from ((cells[0], column, cell) for column, cell in zip(header[1:], cells[1:], strict=True))


def missing_estimates(text: str, run: Path) -> list[str]:
    """Return the estimates of the evaluation files that the card does not show with exactly their numbers."""
    missing = []
    for path in sorted((run / "evaluation").glob("*.json")):
        shown = set(table_cells(section(text, f"### {path.stem.capitalize()} split")))
        for item in json.loads(path.read_text())["estimates"]:
            row = item["class"].replace("_", " ") if item["class"] else SCOPES[item["aggregate"]]
            column = METRICS[item["metric"]].title if item["metric"] in METRICS else r"brand\_new"
            numbers = [item[key] for key in ("value", "low", "high")]
            cell = "–" if numbers[0] is None else f"{numbers[0]:.3f}"
            cell += "" if None in numbers else f" ({numbers[1]:.3f}–{numbers[2]:.3f})"
            if (row, column, cell) not in shown:
                missing.append(f"{path.stem} {item['metric']} {row}")
    return missing


def edit_evaluation(run: Path, change: Callable[[dict[str, Any]], None], split: str = "test") -> None:
    path = run / "evaluation" / f"{split}.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_every_estimate_has_its_line_in_the_card(run: Path) -> None:
    def add_metric(record: dict[str, Any]) -> None:
        record["estimates"].append({**record["estimates"][0], "metric": "brand_new", "value": 0.123456})

    edit_evaluation(run, add_metric)  # a metric that the code does not know
    text = card_text(run)
    assert missing_estimates(text, run) == []
    assert len(missing_estimates(text.replace("brand", "old"), run)) == 1
    files = [json.loads(path.read_text()) for path in (run / "evaluation").glob("*.json")]
    specificities = [item for file in files for item in file["estimates"] if item["metric"] == "specificity"]
    assert len(missing_estimates(text.replace("Specificity", "Spec"), run)) == len(specificities) > 0


def test_metadata_parses_back_with_the_exact_values(run: Path) -> None:
    card = HubCard.load(write_model_card(run))
    assert (card.data.license, card.data.library_name, card.data.datasets) == (
        "unknown",
        "lesionlens",
        ["ham10000"],
    )
    assert {"auc", "balanced_accuracy"} <= set(card.data.metrics)
    for result in card.data.eval_results:
        estimates = json.loads((run / "evaluation" / f"{result.dataset_split}.json").read_text())["estimates"]
        triples = [
            (item["metric"], item["value"], item["low"]) for item in estimates if item["class"] is None
        ]
        assert (result.metric_type, result.metric_value, result.metric_args["low"]) in triples
    assert len(card.data.eval_results) == 2 * len(card.data.metrics)


def test_splits_and_exclusions_are_those_of_the_files(run: Path) -> None:
    (run / "excluded.csv").write_text(
        "image_id,split,reason\na,train,unreadable\nb,train,unreadable\nc,,x|y /a/b/c.jpg\n"
    )
    data = section(card_text(run), "## Data")
    cells = set(table_cells(data))
    splits = json.loads((run / "metadata.json").read_text())["data"]["splits"]
    for name, split in splits.items():
        counts = {"Images": split["images"], "Lesions": split["lesions"], **split["classes"]}
        assert {(name, key.replace("_", " "), f"{value:,}") for key, value in counts.items()} <= cells
    assert ("train", "Images", "2") in cells
    assert "used without their mask: 3." in data
    assert r"x\|y …/c.jpg" in data


def test_every_number_of_the_calibration_is_shown(run: Path) -> None:
    (run / "model" / "calibration.json").write_text(json.dumps(CALIBRATION))
    body = section(card_text(run), "## How far to believe a score")
    for text in (
        "1,102", "1,041", "1.371 (1.210–1.500)", "0.992 (0.980–1.000)",
        "| Lesions by class, nevus | 1,010 |", "0.8124", "melanoma 0.71, nevus –",
        "0.812 (0.700–0.900)", "| Unknown images, false alarm rate | 0.05 |", "| Number of lesions | 1,041 |",
        "- From the validation split.",
    ):  # fmt: skip
        assert text in body


def test_reason_for_no_calibration_is_shown(run: Path) -> None:
    metadata = json.loads((run / "metadata.json").read_text())
    record = {**metadata, "calibration": {"split": "validation", "caveats": ["one class only"]}}
    (run / "metadata.json").write_text(json.dumps(record))
    body = section(card_text(run), "## How far to believe a score")
    assert "Not calibrated" in body
    assert "- one class only" in body


def test_audit_and_map_quality_are_shown(run: Path) -> None:
    shortcut = {"column": "site", "balanced_accuracy": 0.4321, "chance": 0.25, "is_strong": True}
    finding = {"kind": "the same lesion in two splits", "severity": "leak", "count": 17, "cases": []}
    (run / "audit").mkdir()
    (run / "audit" / "audit.json").write_text(json.dumps({"findings": [finding], "shortcuts": [shortcut]}))
    estimate = {"map": "gradcam", "measure": "deletion", "value": 0.2345, "low": 0.2, "high": 0.3}
    (run / "maps").mkdir()
    differences = [{"control": "center", **estimate}]
    record = {
        "num_images": 9,
        "estimates": [estimate],
        "differences": differences,
        "curves": [{"mean": [1]}],
    }
    (run / "maps" / "faithfulness.json").write_text(json.dumps(record))
    text = card_text(run)
    assert "| leak | the same lesion in two splits | 17 |" in text
    assert "| site | 0.432 | 0.250 | yes |" in text
    assert "| Number of images | 9 |" in text
    assert "| gradcam | deletion | 0.234 (0.200–0.300) |" in text
    assert "| center | gradcam | deletion | 0.234 (0.200–0.300) |" in text


def test_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    first = write_model_card(run).read_bytes()
    metadata = json.loads((run / "metadata.json").read_text())
    (run / "metadata.json").write_text(
        json.dumps({**metadata, "status": "trained"})
    )  # as at the end of training
    assert write_model_card(run, out=tmp_path / "card.md").read_bytes() == first


def test_card_has_no_folders_of_the_machine(run: Path) -> None:
    (run / "recipe.yaml").write_text(
        "data:\n  extra_train: ['isic2019:/secret/more']\n  source: ham10000:/home/me/secret/ham\n"
        "  cache_dir: 'C:\\me\\x\\cache'\n"
    )
    metadata = json.loads((run / "metadata.json").read_text())
    data = {**metadata["data"], "split": "/secret/split.csv", "warnings": ["no /secret/a.jpg"]}
    data["extra_train"] = {"basal_cell_carcinoma": 1234, "nevus": 5}
    data["caveats"] = [{"kind": "leak", "text": "see /secret/b.csv"}]
    (run / "metadata.json").write_text(json.dumps({**metadata, "data": data}))
    text = card_text(run)
    assert "secret" not in text
    assert "- More images for training, from isic2019:…/more: basal cell carcinoma 1,234, nevus 5" in text
    assert "https://doi.org/10.1109/TMI.2019.2893944" in text
    assert "ham10000:…/ham" in text
    assert "'…/cache'" in text


def test_run_without_test_split_says_so(make_run: Callable[..., Path]) -> None:
    run = add_model(make_run(splits=("validation",), name="val"))
    text = card_text(run)
    assert "There is no evaluated test split." in text
    assert "optimistically biased" in section(text, "## Limits")
    assert "| 32 | Evaluation on internal data | not stated |  |" in text
    assert missing_estimates(text, run) == []


def test_undefined_metrics_are_dashes_and_not_in_metadata(run: Path) -> None:
    def undefine(record: dict[str, Any]) -> None:
        for item in record["estimates"]:
            item.update(
                {"value": None, "low": None, "high": None} if item["metric"] == "auc" else {"low": None}
            )

    edit_evaluation(run, undefine)
    text = card_text(run)
    assert missing_estimates(text, run) == []
    results = [item for item in HubCard(text).data.eval_results if item.dataset_split == "test"]
    assert "auc" not in {item.metric_type for item in results}
    assert all(math.isfinite(item.metric_value) and item.metric_args is None for item in results)


def test_markdown_characters_of_names_are_escaped(make_run: Callable[..., Path]) -> None:
    classes = ("a|b", "*c*_d", "[x](y) <b>")
    run = add_model(make_run(name="odd", classes=classes), name="my_net | **v2** <i>\n---")
    text = card_text(run)
    assert "\n# my\\_net \\| \\*\\*v2\\*\\* \\<i\\> ---\n" in text
    assert HubCard(text).data.model_name == "my_net | **v2** <i>\n---"
    rows = {row for row, _, _ in table_cells(section(text, "### Test split"))}
    assert {escape_markdown(name.replace("_", " ")) for name in classes} <= rows


def test_damaged_files_are_rejected(run: Path) -> None:
    (run / "evaluation" / "test.json").write_text("{")
    with pytest.raises(RunError, match=r"would lack results: evaluation/test.json cannot be read"):
        write_model_card(run)
    (run / "evaluation" / "test.json").unlink()
    for name, content in (
        ("model/calibration.json", "{"),
        ("audit.json", "[]"),
        ("excluded.csv", "a,b\n1,2\n"),
    ):
        (run / name).write_text(content)
        with pytest.raises(RunError, match=name.partition(".")[0]):
            write_model_card(run)
        (run / name).unlink()
    (run / "model" / "calibration.json").write_text(json.dumps({**CALIBRATION, "weights_sha256": "ab"}))
    with pytest.raises(RunError, match="other weights"):
        write_model_card(run)
    (run / "model" / "model_card.json").unlink()
    with pytest.raises(LesionLensError, match="not a model"):
        write_model_card(run)


def test_statements_fill_sections_and_items(run: Path) -> None:
    (run / "card.yaml").write_text(
        "license: cc-by-nc-4.0\nfunding: Grant | 2026\nintended_users:\n- readers\n- engineers\n"
        "known_limits: |\n  one\n\n  # two\n"
    )
    text = card_text(run)
    assert HubCard(text).data.license == "cc-by-nc-4.0"
    assert "- Intended users: readers; engineers" in section(text, "## Intended use")
    assert "- Known limits: one # two" in section(text, "## Limits")
    assert "| 44 | Funding, and role of the funders | authors | Grant \\| 2026 |" in text
    assert "| 40 | Limitations | run and authors | [Limits](#limits); one # two |" in text
    assert "- Not stated: intended use, target population" in text


def test_statements_are_copied_to_the_run(run: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("funding: Grant\n")
    write_model_card(run, statements=mine, out=tmp_path / "card.md")
    assert not (run / "card.yaml").exists()
    first = write_model_card(run, statements=mine).read_bytes()
    assert write_model_card(run).read_bytes() == first
    mine.write_text("funding: None\n")
    with pytest.raises(RunError, match="has other statements than"):
        write_model_card(run, statements=mine)
    assert (run / "card.yaml").read_text() == "funding: Grant\n"


def test_items_name_evidence_and_keys_that_exist(run: Path) -> None:
    guidelines = {item.name: item for item in reporting_guidelines()}
    numbers = {name: [item.number for item in guideline.items] for name, guideline in guidelines.items()}
    assert numbers["CLEAR Derm"] == [str(number) for number in range(1, 26)]
    assert numbers["CLAIM 2024"] == [str(number) for number in range(1, 45)]
    main = dict.fromkeys(number.rstrip("abcdefg") for number in numbers["TRIPOD+AI"])
    assert list(main) == [str(number) for number in range(1, 28)]
    assert len(set(numbers["TRIPOD+AI"])) == 52
    items = [item for guideline in guidelines.values() for item in guideline.items]
    evidence = gather_evidence(load_card_inputs(run))
    assert {name for item in items for name in item.run} == set(evidence)
    assert all(item.run or item.author for item in items)
    keys = {key for item in items for key in item.author}
    unused = set(AuthorStatements.model_fields) - keys
    assert unused == {"authors", "contact", "license", "citation"}
    assert keys < set(AuthorStatements.model_fields)


def test_command_writes_a_card_and_rejects_several_runs(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "card.md"
    result = CliRunner().invoke(app, ["card", str(run), "--out", str(out)])
    assert result.exit_code == 0
    assert "research use only, not a medical device." in out.read_text().lower()
    group = tmp_path / "group"
    group.mkdir()
    run.rename(group / "run-01")
    for name, content in (("multi_run.json", "{}"), ("recipe.yaml", "{}")):
        (group / name).write_text(content)
    rejected = CliRunner().invoke(app, ["card", str(group)])
    assert isinstance(rejected.exception, RunError)
    assert "Pass the directory of one of them: run-01" in str(rejected.exception)


def test_documented_keys_are_those_of_the_schema() -> None:
    page = (Path(__file__).parents[2] / "docs" / "model-card.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE))
    assert rows == {name: field.description for name, field in AuthorStatements.model_fields.items()}
    example = re.search(r"```yaml\n(.+?)```", page, re.DOTALL)
    assert example
    assert set(yaml.safe_load(example[1])) <= set(AuthorStatements.model_fields)
