"""What the files of a run answer of the items of reporting guidelines."""

from typing import NamedTuple

from lesionlens.evaluation.formatting import display_name, format_with_interval
from lesionlens.evaluation.metric import MACRO
from lesionlens.report.author_statements import DATA, LIMITS
from lesionlens.report.card_inputs import CardInputs
from lesionlens.report.markdown import escape_markdown

MODEL, RESULTS = "Model", "Results"
BELIEF, SUBGROUPS, MAPS, RECIPE = "How far to believe a score", "Subgroups", "Attention maps", "Recipe"


class GuidelineEvidence(NamedTuple):
    """Section of the card that answers an item, and a short value ("": see the section)."""

    section: str
    value: str = ""


def gather_evidence(inputs: CardInputs) -> dict[str, GuidelineEvidence | None]:
    """Return the evidence of a run by name; None where the run has none.

    The names are those of ``reporting_guidelines.yaml``.
    """
    return {**_model_evidence(inputs), **_data_evidence(inputs), **_result_evidence(inputs)}


def _model_evidence(inputs: CardInputs) -> dict[str, GuidelineEvidence | None]:
    run, card = inputs.run, inputs.model
    versions = run.metadata.get("versions", {})
    weights = str(run.recipe.get("model", {}).get("weights") or "")
    crops = card.preprocessing.crop_count
    has_views = crops > 1 or card.preprocessing.tta != "none"
    return {
        "modality": GuidelineEvidence(DATA, "dermoscopic images"),
        "model": GuidelineEvidence(
            MODEL, f"convolutional network, {escape_markdown(card.name or card.architecture.backbone)}"
        ),
        "training": GuidelineEvidence(MODEL) if run.recipe.get("train") else None,
        "recipe": GuidelineEvidence(RECIPE) if run.recipe_text else None,
        "preprocessing": GuidelineEvidence(MODEL),
        "software": GuidelineEvidence(MODEL, f"LesionLens {card.lesionlens}") if versions else None,
        "initialization": GuidelineEvidence(MODEL, f"weights: {escape_markdown(weights)}")
        if weights
        else None,
        "selection": None
        if run.selected_epoch is None
        else GuidelineEvidence(MODEL, f"epoch {run.selected_epoch}"),
        "ensembling": GuidelineEvidence(
            MODEL, "crops and views of one model are averaged" if has_views else "one model"
        ),
        "classes": GuidelineEvidence(MODEL, escape_markdown(", ".join(map(display_name, card.classes)))),
        "decision": GuidelineEvidence(RESULTS) if run.evaluations else None,
    }


def _data_evidence(inputs: CardInputs) -> dict[str, GuidelineEvidence | None]:
    splits = inputs.data.get("splits", {})
    counts = ", ".join(
        f"{escape_markdown(name)} {split.get('images', 0):,}" for name, split in splits.items()
    )
    title = "" if inputs.reader is None else inputs.reader.title
    excluded = sum(inputs.excluded.values())
    is_listed = (inputs.run.path / "excluded.csv").is_file()
    return {
        "sources": GuidelineEvidence(DATA, escape_markdown(title))
        if title and not inputs.is_synthetic
        else None,
        "synthetic": GuidelineEvidence(DATA, "synthetic images only" if inputs.is_synthetic else "none"),
        "partition": GuidelineEvidence(DATA, escape_markdown(str(inputs.data["split"])))
        if inputs.data.get("split")
        else None,
        "splits": GuidelineEvidence(DATA, f"images: {counts}") if counts else None,
        "class_balance": GuidelineEvidence(DATA) if counts else None,
        "excluded": GuidelineEvidence(DATA, f"{excluded:,} excluded") if is_listed else None,
        "audit": GuidelineEvidence(DATA) if inputs.audit else None,
        "artifacts": GuidelineEvidence(DATA) if inputs.audit.get("artifacts") else None,
    }


def _result_evidence(inputs: CardInputs) -> dict[str, GuidelineEvidence | None]:
    evaluations = inputs.run.evaluations
    test = evaluations.get("test")
    reported = next(iter(evaluations.values()), None)
    auc = None if reported is None else format_with_interval(reported.estimate("auc", MACRO))
    has_intervals = reported is not None and reported.n_resamples > 0
    columns = {column for report in inputs.subgroups.values() for column in report.by_column()}
    names = ", ".join(escape_markdown(display_name(column)) for column in sorted(columns))
    return {
        "metrics": None if auc is None else GuidelineEvidence(RESULTS, f"mean AUC {auc}"),
        "intervals": GuidelineEvidence(RESULTS, "bootstrap over lesions") if has_intervals else None,
        "confusion": GuidelineEvidence(RESULTS, "confusion matrix") if evaluations else None,
        "internal_test": None
        if test is None
        else GuidelineEvidence(RESULTS, f"{test.n_images:,} test images"),
        "calibration": GuidelineEvidence(BELIEF) if inputs.calibration else None,
        "unknown_images": GuidelineEvidence(BELIEF) if inputs.calibration.get("ood") else None,
        "subgroups": GuidelineEvidence(SUBGROUPS, names) if columns else None,
        "skin_tone": GuidelineEvidence(SUBGROUPS) if columns & {"skin_tone", "ita", "fitzpatrick"} else None,
        "maps": GuidelineEvidence(MAPS) if inputs.map_quality else None,
        "limits": GuidelineEvidence(LIMITS),
    }
