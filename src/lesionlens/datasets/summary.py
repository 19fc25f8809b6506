"""Summary of a dataset as text, 80 columns wide."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from lesionlens.datasets.folder_walk import MASK_FOLDERS, describe_skipped
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.readers.base import SYNTHETIC_SOURCE
from lesionlens.datasets.registry import DATASETS
from lesionlens.datasets.table import SPLITS, TABLE_COLUMNS, LesionTable
from lesionlens.imaging.decode import ImageHeader, read_header

SUMMARY_WIDTH = 80
_VALUE_INDENT = 16
_CLASS_COLUMN_WIDTH = 24  # the longest canonical name and some space
_MAX_VALUES_LISTED = 6
_METHOD_TITLES = {
    "histo": "histopathology",
    "follow_up": "follow-up",
    "consensus": "expert consensus",
    "confocal": "confocal microscopy",
}


def summarize_table(table: LesionTable) -> str:
    """Describe a table: classes, splits, lesions, patients, sizes, missing values, license and warnings.

    The header of every image is read.

    Raises
    ------
    ImageError
        A file was removed or damaged since the table was read.
    """
    frame = table.frame
    headers = [read_header(path) for path in table.paths]
    facts = [
        ("Classes", _single_class(table)),
        ("Lesions", _lesion_summary(frame)),
        ("Patients", _patient_summary(frame)),
        ("Width, height", _size_range(headers)),
        ("Formats", _count_values(header.format for header in headers)),
        ("Age", _age_range(frame["age"])),
        ("Sex", _count_values(frame["sex"])),
        ("Confirmed by", _count_values(frame["diagnosis_method"].replace(_METHOD_TITLES))),
        ("Site", _count_values(frame["site"])),
        ("Skin tone", _count_values(frame["skin_tone"])),
        ("Unknown", _count_missing(frame)),
        ("Skipped", _skipped_files(table)),
        *_provenance(table, frame),
    ]
    lines = [_title(table, frame), "", *_class_table(table, frame), ""]
    lines += [line for name, text in facts if text for line in _format_item(name, text)]
    if table.warnings:
        lines += ["", "Warnings"]
        lines += [line for text in table.warnings for line in _wrap(text, "- ", 2)]
    return "\n".join(lines)


def _title(table: LesionTable, frame: pd.DataFrame) -> str:
    title = "Synthetic images" if _is_synthetic(frame) else DATASETS[table.name].title
    return f"{title}: {len(table):,} images\n{table.root}"


def _is_synthetic(frame: pd.DataFrame) -> bool:
    return bool(len(frame)) and bool((frame["source"] == SYNTHETIC_SOURCE).all())


def _class_table(table: LesionTable, frame: pd.DataFrame) -> list[str]:
    """Return the rows of a table: images per class and official split, percentage and number of lesions."""
    splits = [split for split in SPLITS if (frame["split"] == split).any()]
    counts = Counter(zip(frame["diagnosis"], frame["split"], strict=True))
    lesion_counts = frame.groupby("diagnosis")["lesion_id"].nunique()
    header = ("Class", *splits, "images", "percent", "lesions")
    rows = [header]
    for name, num_images in table.class_counts().items():
        cells = [counts[name, split] for split in splits]
        rows.append(_class_row(name, cells, num_images, len(frame), int(lesion_counts.get(name, 0))))
    totals = [int((frame["split"] == split).sum()) for split in splits]
    rows.append(_class_row("all", totals, len(frame), len(frame), frame["lesion_id"].nunique()))
    widths = [max(9, len(name) + 1) for name in header[1:]]
    return [_format_row(cells, widths) for cells in rows]


def _class_row(
    name: str, split_counts: Sequence[int], num_images: int, total: int, num_lesions: int
) -> tuple[str, ...]:
    percent = f"{100 * num_images / max(1, total):.1f} %"
    return name, *(f"{count:,}" for count in split_counts), f"{num_images:,}", percent, f"{num_lesions:,}"


def _format_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    name = cells[0] if len(cells[0]) < _CLASS_COLUMN_WIDTH else f"{cells[0][: _CLASS_COLUMN_WIDTH - 2]}…"
    return f"{name:<{_CLASS_COLUMN_WIDTH}}" + "".join(
        f"{cell:>{w}}" for cell, w in zip(cells[1:], widths, strict=True)
    )


def _skipped_files(table: LesionTable) -> str:
    """Format the files that were not read; folders of masks are read separately."""
    return describe_skipped(Counter({kind: n for kind, n in table.skipped.items() if kind != MASK_FOLDERS}))


def _single_class(table: LesionTable) -> str:
    """Return a statement for a table of which only one class has images, otherwise ""."""
    present = [name for name, count in table.class_counts().items() if count]
    return f"only {present[0]} has images; a classifier needs two classes" if len(present) == 1 else ""


def _lesion_summary(frame: pd.DataFrame) -> str:
    unknown = int((frame["lesion_id"] == frame["image_id"]).sum())
    if unknown == len(frame):
        return "unknown: every image counts as its own lesion" if unknown else ""
    sizes = frame.groupby("lesion_id").size()
    multiple = sizes[sizes > 1]
    text = f"{len(multiple):,} with more than one image, at most {multiple.max():,}"
    text = f"{len(sizes):,}, each with one image" if multiple.empty else f"{len(sizes):,}; {text}"
    return f"{text}; unknown for {pluralize(unknown, 'image')}" if unknown else text


def _patient_summary(frame: pd.DataFrame) -> str:
    known = frame["patient_id"][frame["patient_id"] != ""]
    return f"{known.nunique():,}" if len(known) else "unknown: images are grouped by lesion"


def _size_range(headers: list[ImageHeader]) -> str:
    if not headers:
        return ""
    texts = []
    for sides in ([header.width for header in headers], [header.height for header in headers]):
        low, middle, high = min(sides), int(np.median(sides)), max(sides)
        texts.append(f"{low:,}" if low == high else f"{low:,} to {high:,} (median {middle:,})")
    return f"{texts[0]} × {texts[1]} pixels"


def _age_range(ages: pd.Series) -> str:
    known = ages.dropna()
    if known.empty:
        return ""
    return f"{known.min():g} to {known.max():g} years (median {known.median():g})"


def _count_values(values: Iterable[str]) -> str:
    """Format the number of images per value, most frequent first, unknown values last."""
    counts = Counter(values)
    unknown = counts.pop("", 0)
    shown = [f"{name} {count:,}" for name, count in counts.most_common(_MAX_VALUES_LISTED)]
    if len(counts) > _MAX_VALUES_LISTED:
        shown.append(f"{len(counts) - _MAX_VALUES_LISTED} more")
    return ", ".join(shown + [f"unknown {unknown:,}"] * bool(unknown)) if counts else ""


def _count_missing(frame: pd.DataFrame) -> str:
    """Format the number of missing values per column; columns without any value are listed separately."""
    missing = {
        name: int((frame[name].isna() if name == "age" else frame[name] == "").sum())
        for name in TABLE_COLUMNS
    }
    empty = [name for name, count in missing.items() if count == len(frame) and count]
    gaps = [f"{name} {count:,}" for name, count in missing.items() if 0 < count < len(frame)]
    texts = [f"{', '.join(gaps)} of {len(frame):,} images"] if gaps else []
    return "; ".join(texts + [f"for all images: {', '.join(empty)}"] * bool(empty))


def _provenance(table: LesionTable, frame: pd.DataFrame) -> list[tuple[str, str]]:
    if _is_synthetic(frame):
        return [("Origin", "generated images: not real skin, and no evidence about any patient")]
    dataset = DATASETS[table.name]
    return [
        ("Complete", table_completeness(table)),
        ("License", dataset.license),
        ("Cite", dataset.citation),
        ("Home", dataset.url),
    ]


def table_completeness(table: LesionTable) -> str:
    """Format the number of images of a dataset per official split, as `completeness` does."""
    splits, layout = table.frame["split"], table.name
    if layout in ("ham10000", "isic2018"):  # both read both distributions, of which one has splits
        layout = "isic2018" if (splits != "").any() else "ham10000"
    return completeness(splits, DATASETS[layout].expected)


def completeness(splits: pd.Series, expected: Mapping[str, int]) -> str:
    """Format the number of images per official split; ``""`` if the size of the complete dataset is unknown.

    Examples
    --------
    >>> completeness(pd.Series(["train", "train", "test"]), {"train": 2, "validation": 1})
    'no: train 2, validation 0 of 1'
    >>> completeness(pd.Series([""] * 1000), {"": 1000})
    'yes: 1,000 images'
    """
    actual = {split: int((splits == split).sum()) if split else len(splits) for split in expected}
    counts = {
        split: f"{actual[split]:,}" if actual[split] == count else f"{actual[split]:,} of {count:,}"
        for split, count in expected.items()
    }
    texts = [f"{split} {text}" if split else f"{text} images" for split, text in counts.items()]
    return f"{'yes' if actual == expected else 'no'}: {', '.join(texts)}" if expected else ""


def _format_item(name: str, text: str) -> list[str]:
    return _wrap(text, f"{name:<{_VALUE_INDENT}}", _VALUE_INDENT)


def _wrap(text: str, initial_indent: str, indent: int) -> list[str]:
    return textwrap.wrap(
        text,
        SUMMARY_WIDTH,
        initial_indent=initial_indent,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )
