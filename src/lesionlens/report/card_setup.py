"""Limits, intended use, model, data and recipe in a model card."""

import re
from collections.abc import Iterator
from typing import Any

from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.formatting import display_name, format_value
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.report.author_statements import LIMITS, statement_keys
from lesionlens.report.card_inputs import CardInputs
from lesionlens.report.caveats import run_caveats
from lesionlens.report.markdown import bullets, escape_markdown, hide_folders, markdown_table, one_line
from lesionlens.report.setup import setup_summary

NOT_STATED = "not stated"
MAX_REASONS_SHOWN = 20


def limits_body(inputs: CardInputs) -> str:
    """Return the caveats of the run, and the limits that the authors state."""
    caveats = [
        f"**{escape_markdown(item.title)}** {escape_markdown(item.text)}" for item in run_caveats(inputs.run)
    ]
    return "\n".join([*bullets(caveats).splitlines(), statements_body(inputs, LIMITS)])


def statements_body(inputs: CardInputs, section: str) -> str:
    """Return the statements of the authors on a subject, and the keys on which they state nothing."""
    texts = {key: inputs.statements.stated(key) for key in statement_keys(section)}
    items = [f"{_key_title(key)}: {one_line(text)}" for key, text in texts.items() if text]
    missing = ", ".join(_key_title(key).lower() for key, text in texts.items() if not text)
    return bullets([*items, *[f"{NOT_STATED.capitalize()}: {missing}"] * bool(missing)])


def _key_title(key: str) -> str:
    return display_name(key).capitalize()


def model_body(inputs: CardInputs) -> str:
    """Return names and values of model, training and hardware, the input, and the classes."""
    card = inputs.model
    rows = [(escape_markdown(name), escape_markdown(value)) for name, value in setup_summary(inputs.run)]
    score = "each is independent of the others" if card.multilabel else "they sum to one"
    rows += [
        ("Preprocessing", escape_markdown(describe_preprocessing(card.preprocessing))),
        ("Scores", f"{escape_markdown(', '.join(map(display_name, card.classes)))}; {score}"),
        ("Weights", f"SHA-256 `{card.weights_sha256}`" if card.weights_sha256 else "without checksum"),
    ]
    return markdown_table(["Property", "Value"], rows)


def describe_preprocessing(preprocessing: Preprocessing) -> str:
    """Return the steps from an image file to the input of a network, in one sentence."""
    height, width = preprocessing.input_size
    downsampling = (
        f" downsampled to a shorter side of {preprocessing.max_short_side} pixels if larger,"
        if preprocessing.max_short_side
        else ""
    )
    constancy = (
        ""
        if preprocessing.color_constancy == "none"
        else f" color constancy applied ({preprocessing.color_constancy}),"
    )
    hairs = " hairs removed," if preprocessing.hair_removal else ""
    return (
        f"RGB,{downsampling}{hairs}{constancy} cropped, resized to {height} × {width} (antialiased bilinear), "
        f"scaled to [0, 1], minus the mean {list(preprocessing.mean)}, divided by the standard deviation "
        f"{list(preprocessing.std)}; channels first."
    )


def data_body(inputs: CardInputs) -> str:
    """Return source, splits, excluded images, warnings and audit of the data."""
    data = inputs.data
    parts = [
        bullets(_source_lines(inputs)),
        f"Splits: {escape_markdown(str(data.get('split') or 'unknown'))}.\n\n{_splits_table(data.get('splits', {}))}",
        _excluded_text(inputs),
    ]
    if warnings := data.get("warnings"):
        parts.append(
            f"Warnings about the data:\n\n{bullets(escape_markdown(str(item)) for item in warnings)}"
        )
    return "\n\n".join([*parts, f"### Audit\n\n{_audit_text(inputs.audit)}"])


def _source_lines(inputs: CardInputs) -> Iterator[str]:
    reader, data = inputs.reader, inputs.data
    if inputs.is_synthetic:
        yield f"**Synthetic images.** {escape_markdown(str(data['synthetic_data_notice']))}"
    if reader is None:
        yield "Dataset: a table of the user's"
    elif inputs.is_synthetic:
        yield f"Layout of the dataset: {escape_markdown(reader.title)}"
    else:
        yield f"Dataset: {escape_markdown(reader.title)}, {reader.url}"
        yield f"License of the images: {escape_markdown(reader.license)}"
        yield f"Citation of the images: {escape_markdown(reader.citation)}"
    if extra := data.get("extra_train"):
        sources = ", ".join(
            map(str, inputs.run.recipe.get("data", {}).get("extra_train") or ["another source"])
        )
        counts = ", ".join(f"{display_name(name)} {count:,}" for name, count in extra.items())
        yield f"More images for training, from {escape_markdown(sources)}: {escape_markdown(counts)}"
    yield f"Task: {escape_markdown(display_name(str(data.get('task', 'unknown'))))}"
    yield f"Fingerprint of images and labels: `{data.get('fingerprint', 'unknown')}`"


def _splits_table(splits: dict[str, Any]) -> str:
    classes = list(dict.fromkeys(name for split in splits.values() for name in split.get("classes", {})))
    rows = [
        (
            escape_markdown(name),
            f"{split.get('images', 0):,}",
            f"{split['lesions']:,}" if "lesions" in split else "unknown",
            *(f"{split.get('classes', {}).get(label, 0):,}" for label in classes),
        )
        for name, split in splits.items()
    ]
    return markdown_table(
        ["Split", "Images", "Lesions", *(escape_markdown(display_name(c)) for c in classes)], rows
    )


def _excluded_text(inputs: CardInputs) -> str:
    if not inputs.excluded:
        return "No image was excluded."
    rows = [
        (escape_markdown(split or "none"), escape_markdown(reason), f"{count:,}")
        for (split, reason), count in list(inputs.excluded.items())[:MAX_REASONS_SHOWN]
    ]
    total = sum(inputs.excluded.values())
    more = len(inputs.excluded) - len(rows)
    table = markdown_table(["Split", "Reason", "Images"], rows)
    rest = f"\n\n{pluralize(more, 'more reason')} in `excluded.csv`." if more > 0 else ""
    return f"Excluded images, or images used without their mask: {total:,}.\n\n{table}{rest}"


def _audit_text(audit: dict[str, Any]) -> str:
    if not audit:
        return "The dataset was not audited for duplicates, leaks and shortcuts."
    findings = [
        (
            escape_markdown(str(item.get("severity"))),
            escape_markdown(str(item.get("kind"))),
            f"{item.get('count', 0):,}",
        )
        for item in audit.get("findings", ())
    ]
    shortcuts = [
        (
            escape_markdown(str(item["column"])),
            *(
                format_value(float("nan") if item[key] is None else item[key])
                for key in ("balanced_accuracy", "chance")
            ),
            "yes" if item["is_strong"] else "no",
        )
        for item in audit.get("shortcuts", ())
    ]
    parts = [markdown_table(["Severity", "Finding", "Number"], findings) if findings else "No finding."]
    if shortcuts:
        table = markdown_table(["Column", "Balanced accuracy", "Chance", "Strong"], shortcuts)
        parts.append(f"Prediction of the class from one column, without the image:\n\n{table}")
    return "\n\n".join([*parts, *_artifact_parts(audit.get("artifacts", ()))])


def _artifact_parts(artifacts: Any) -> list[str]:
    rows = [
        (
            escape_markdown(str(item["artifact"])),
            *(
                format_value(float("nan") if item[key] is None else item[key])
                for key in ("cramers_v", "low", "high")
            ),
        )
        for item in artifacts
    ]
    header = ["Artifact", "Cramér's V with the class", "Low", "High"]
    return [markdown_table(header, rows)] if rows else []


def recipe_body(inputs: CardInputs) -> str:
    """Return the recipe, with the names of files but not of the folders in which they were."""
    text = hide_folders(inputs.run.recipe_text).strip()
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}yaml\n{text}\n{fence}" if text else "The run has no recipe."
