"""The model card of a run: Markdown with metadata in the format of Hugging Face."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import EvalResult, ModelCardData

from lesionlens.core.errors import RunError
from lesionlens.core.fileio import write_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import display_name, format_metric
from lesionlens.report import card_evidence, card_results, card_setup
from lesionlens.report.author_statements import ABOUT, DATA, ETHICS, LIMITS, STATEMENTS_FILE, STUDY, USE
from lesionlens.report.card_evidence import GuidelineEvidence, gather_evidence
from lesionlens.report.card_inputs import CardInputs, load_card_inputs
from lesionlens.report.guidelines import Guideline, GuidelineItem, reporting_guidelines
from lesionlens.report.markdown import escape_markdown, heading_anchor, markdown_table, one_line

CARD_README = "README.md"
UNKNOWN_LICENSE = "unknown"
MAX_STATEMENT_LENGTH = 80  # of an author's statement in a table of items; the section has all of it
GUIDELINES = "Reporting guidelines"


class CardSection(NamedTuple):
    """A section of a model card."""

    title: str
    body: str


def write_model_card(run_dir: Path, *, statements: Path | None = None, out: Path | None = None) -> Path:
    """Write the model card of a run, by default to ``model/README.md`` in it.

    The card is identical for identical contents of the run and of the statements.

    Parameters
    ----------
    run_dir
        Directory that training wrote.
    statements
        Statements of the authors; default: ``card.yaml`` in the run, if there is one. Without ``out`` they are copied
        there.
    out
        File to write or replace.

    Returns
    -------
    Path
        Path of the card.

    Raises
    ------
    LesionLensError
        The directory is not that of a run, has no model, or a file is damaged or cannot be written.
    """
    path = out or run_dir / "model" / CARD_README
    text = render_model_card(load_card_inputs(run_dir, statements=statements))
    if statements is not None and out is None:
        _save_statements(statements, run_dir / STATEMENTS_FILE)
    write_text(path, text)
    return path


def _save_statements(statements: Path, saved: Path) -> None:
    """Copy the statements to the run, so that the card has them when it is written again."""
    text = statements.read_text(encoding="utf-8")
    if saved.is_file() and saved.read_text(encoding="utf-8") != text:
        raise RunError(
            f"{saved} has other statements than {statements}. Edit or remove it, or write the card elsewhere (--out)"
        )
    if not saved.is_file():
        write_text(saved, text)


def render_model_card(inputs: CardInputs) -> str:
    """Return the text of a model card: metadata between lines of dashes, then the sections."""
    title = escape_markdown(inputs.model.name or inputs.run.name)
    body = "\n\n".join(f"## {section.title}\n\n{section.body}" for section in _sections(inputs))
    return f"---\n{card_metadata(inputs).to_yaml()}\n---\n\n# {title}\n\n{_introduction(inputs)}\n\n{body}\n"


def card_metadata(inputs: CardInputs) -> ModelCardData:
    """Return the metadata: license, tags, datasets, and one value of each metric on each evaluated split."""
    results = list(_eval_results(inputs))
    tags = ["dermoscopy", "skin-lesion", "lesionlens", "research-use-only"]
    return ModelCardData(
        license=inputs.statements.license or UNKNOWN_LICENSE,
        library_name="lesionlens",
        pipeline_tag="image-classification",
        tags=[*tags, *["synthetic-data"] * inputs.is_synthetic],
        datasets=[inputs.dataset_name] if inputs.reader is not None and not inputs.is_synthetic else None,
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        model_name=(inputs.model.name or inputs.run.name) if results else None,
        eval_results=results or None,
    )


def _eval_results(inputs: CardInputs) -> Iterator[EvalResult]:
    dataset = "synthetic images" if inputs.is_synthetic else inputs.dataset_name or "table"
    name = inputs.reader.title if inputs.reader is not None and not inputs.is_synthetic else dataset
    for split, evaluation in inputs.run.evaluations.items():
        for key in card_results.reported_scopes(evaluation):
            estimate = evaluation.estimate(*key)
            if estimate.value != estimate.value:  # undefined, which YAML of the Hub cannot have
                continue
            bounds = {"low": estimate.low, "high": estimate.high, "confidence": evaluation.confidence}
            yield EvalResult(
                task_type="image-classification",
                dataset_type=dataset,
                dataset_name=name,
                dataset_split=split,
                metric_type=estimate.metric,
                metric_name=format_metric(*key),
                metric_value=estimate.value,
                metric_args=bounds if estimate.low == estimate.low else None,
            )


def _introduction(inputs: CardInputs) -> str:
    classes = ", ".join(escape_markdown(display_name(name)) for name in inputs.model.classes)
    text = (
        f"> **{RESEARCH_USE_NOTICE}** Its outputs are model scores, never a diagnosis.\n\nA convolutional network that "
        f"returns a score of each of these classes for a dermoscopic image: {classes}."
    )
    evaluation = inputs.run.evaluations.get(inputs.run.split or "")
    if evaluation is None or not (table := card_results.summary_table(evaluation)):
        return text
    return f"{text} Results on the {inputs.run.split} split:\n\n{table}"


def _sections(inputs: CardInputs) -> Iterator[CardSection]:
    yield CardSection(LIMITS, card_setup.limits_body(inputs))
    yield CardSection(USE, card_setup.statements_body(inputs, USE))
    yield CardSection(card_evidence.MODEL, card_setup.model_body(inputs))
    statements = f"### Statements of the authors\n\n{card_setup.statements_body(inputs, DATA)}"
    yield CardSection(DATA, f"{card_setup.data_body(inputs)}\n\n{statements}")
    yield CardSection(card_evidence.RESULTS, card_results.results_body(inputs))
    yield CardSection(card_evidence.BELIEF, card_results.calibration_body(inputs))
    yield CardSection(card_evidence.SUBGROUPS, card_results.subgroups_body(inputs))
    yield CardSection(card_evidence.MAPS, card_results.maps_body(inputs))
    for title in (STUDY, ETHICS, ABOUT):
        yield CardSection(title, card_setup.statements_body(inputs, title))
    yield CardSection("Use the model", _usage_text())
    yield CardSection(GUIDELINES, _guidelines_body(inputs))
    yield CardSection(card_evidence.RECIPE, card_setup.recipe_body(inputs))


def _usage_text() -> str:
    return (
        "In the folder of this card, with a folder `images` of dermoscopic images:\n\n"
        "```console\n$ lesionlens predict . images\n```"
    )


def _guidelines_body(inputs: CardInputs) -> str:
    evidence = gather_evidence(inputs)
    head = (
        "Items with their numbers, in our words. *Run*: filled from the files of the run. *Authors*: from `card.yaml`. "
        "The status says that something is stated, not that it is sufficient."
    )
    return "\n\n".join([head, *(_guideline_table(item, inputs, evidence) for item in reporting_guidelines())])


def _guideline_table(
    guideline: Guideline, inputs: CardInputs, evidence: dict[str, GuidelineEvidence | None]
) -> str:
    answers = [_answer_item(item, inputs, evidence) for item in guideline.items]
    rows = [
        (item.number, escape_markdown(item.text), status, text)
        for item, (status, text) in zip(guideline.items, answers, strict=True)
    ]
    number = sum(bool(text) for _, text in answers)
    return (
        f"### {guideline.name}\n\n{guideline.citation}, [doi:{guideline.doi}](https://doi.org/{guideline.doi}): "
        f"{number} of {len(answers)} items are stated.\n\n"
        f"{markdown_table(['Item', 'Asks for', 'Status', 'Where'], rows)}"
    )


def _answer_item(
    item: GuidelineItem, inputs: CardInputs, evidence: dict[str, GuidelineEvidence | None]
) -> tuple[str, str]:
    """Return who answers an item, and where or with what; ("not stated", "") if nobody does."""
    answers = [answer for name in item.run if (answer := evidence[name]) is not None]
    texts = [text for key in item.author if (text := inputs.statements.stated(key))]
    if not answers and not texts:
        return card_setup.NOT_STATED, ""
    status = " and ".join([*["run"] * bool(answers), *["authors"] * bool(texts)])
    values = {
        answer.section: [other.value for other in answers if other.section == answer.section]
        for answer in answers
    }
    links = [
        f"[{section}]({heading_anchor(section)})"
        + (f": {', '.join(filter(None, parts))}" if any(parts) else "")
        for section, parts in values.items()
    ]
    return status, "; ".join([*links, *map(_shorten_statement, texts)])


def _shorten_statement(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= MAX_STATEMENT_LENGTH else f"{line[: MAX_STATEMENT_LENGTH - 1].rstrip()}…"
