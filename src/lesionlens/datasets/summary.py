"""What a person wants to know of a data set before training on it, in 80 columns of text."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from lesionlens.datasets.readers.base import SYNTHETIC_SOURCE
from lesionlens.datasets.registry import DATASETS
from lesionlens.datasets.table import SPLITS, TABLE_COLUMNS, LesionTable
from lesionlens.imaging.decode import ImageHeader, read_header

SUMMARY_WIDTH = 80
_VALUE_INDENT = 16
_CLASS_COLUMN_WIDTH = 24  # the longest canonical name and a little air
_MAX_VALUES_LISTED = 6  # values that are listed one by one
_METHOD_TITLES = {
    "histo": "histopathology",
    "follow_up": "follow-up",
    "consensus": "expert consensus",
    "confocal": "confocal microscopy",
}


def summarize_table(table: LesionTable) -> str:
    """Describe a table: classes, lesions, patients, parts, sizes, what is not known, licence, warnings.

    Reads the header of every image.

    Raises
    ------
    ImageError
        A file has gone, or changed, since the table was read.
    """
    frame = table.frame
    headers = [read_header(path) for path in table.paths]
    facts = [
        ("Lesions", _lesion_summary(frame)),
        ("Patients", _patient_summary(frame)),
        ("Width, height", _size_range(headers)),
        ("Formats", _count_values(header.format for header in headers)),
        ("Age", _age_range(frame["age"])),
        ("Sex", _count_values(frame["sex"])),
        ("Confirmed by", _count_values(frame["diagnosis_method"].replace(_METHOD_TITLES))),
        ("Site", _count_values(frame["site"])),
        ("Skin tone", _count_values(frame["skin_tone"])),
        ("Not known", _count_missing(frame)),
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
    """Give images by class and official part, with share and lesions."""
    parts = [part for part in SPLITS if (frame["split"] == part).any()]
    lesions = frame.groupby("diagnosis")["lesion_id"].nunique()
    by_part = Counter(zip(frame["diagnosis"], frame["split"], strict=True))
    header = ("Class", *parts, "images", "share", "lesions")
    rows = [header]
    for name, count in [*table.class_counts().items(), ("all", len(frame))]:
        cells = [by_part[name, part] if name != "all" else (frame["split"] == part).sum() for part in parts]
        seen = int(lesions.get(name, 0)) if name != "all" else frame["lesion_id"].nunique()
        share = f"{100 * count / max(1, len(frame)):.1f} %"
        rows.append((name, *(f"{cell:,}" for cell in cells), f"{count:,}", share, f"{seen:,}"))
    widths = [max(9, len(name) + 1) for name in header[1:]]
    return [_format_row(cells, widths) for cells in rows]


def _format_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    name = cells[0] if len(cells[0]) < _CLASS_COLUMN_WIDTH else f"{cells[0][: _CLASS_COLUMN_WIDTH - 2]}…"
    return f"{name:<{_CLASS_COLUMN_WIDTH}}" + "".join(
        f"{cell:>{w}}" for cell, w in zip(cells[1:], widths, strict=True)
    )


def _lesion_summary(frame: pd.DataFrame) -> str:
    sizes = frame.groupby("lesion_id").size()
    several = sizes[sizes > 1]
    if several.empty:
        return f"{len(sizes):,}, each with one image"
    return f"{len(sizes):,}; {len(several):,} with more than one image, at most {several.max():,}"


def _patient_summary(frame: pd.DataFrame) -> str:
    known = frame["patient_id"][frame["patient_id"] != ""]
    return f"{known.nunique():,}" if len(known) else "not known: images are kept together by lesion"


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
    """Count values, most frequent first, unknown ones last."""
    counts = Counter(values)
    unknown = counts.pop("", 0)
    shown = [f"{name} {count:,}" for name, count in counts.most_common(_MAX_VALUES_LISTED)]
    if len(counts) > _MAX_VALUES_LISTED:
        shown.append(f"{len(counts) - _MAX_VALUES_LISTED} more")
    return ", ".join(shown + [f"not known {unknown:,}"] * bool(unknown)) if counts else ""


def _count_missing(frame: pd.DataFrame) -> str:
    """Count what is not known, by column; whole columns apart from gaps."""
    empty = {
        name: int((frame[name].isna() if name == "age" else frame[name] == "").sum())
        for name in TABLE_COLUMNS
    }
    whole = [name for name, count in empty.items() if count == len(frame) and count]
    gaps = [f"{name} {count:,}" for name, count in empty.items() if 0 < count < len(frame)]
    texts = [f"{', '.join(gaps)} of {len(frame):,} images"] if gaps else []
    return "; ".join(texts + [f"never: {', '.join(whole)}"] * bool(whole))


def _provenance(table: LesionTable, frame: pd.DataFrame) -> list[tuple[str, str]]:
    if _is_synthetic(frame):
        return [("Origin", "painted by a generator: nobody's skin, and no evidence for any patient")]
    dataset = DATASETS[table.name]
    layout = table.name
    if layout in ("ham10000", "isic2018"):  # both read both distributions, of which one names parts
        layout = "isic2018" if (frame["split"] != "").any() else "ham10000"
    return [
        ("Complete", completeness(frame["split"], DATASETS[layout].expected)),
        ("Licence", dataset.license),
        ("Cite", dataset.citation),
        ("Home", dataset.url),
    ]


def completeness(splits: pd.Series, expected: Mapping[str, int]) -> str:
    """Say of each official part how many images are here; ``""`` where nothing is known of a complete set.

    Examples
    --------
    >>> completeness(pd.Series(["train", "train", "test"]), {"train": 2, "validation": 1})
    'no: train 2, validation 0 of 1'
    >>> completeness(pd.Series([""] * 1000), {"": 1000})
    'yes: 1,000 images'
    """
    here = {part: int((splits == part).sum()) if part else len(splits) for part in expected}
    if list(expected) == [""]:
        texts = [f"{here['']:,} images" if here == expected else f"{here['']:,} of {expected['']:,} images"]
    else:
        texts = [
            f"{part} {here[part]:,}" if here[part] == count else f"{part} {here[part]:,} of {count:,}"
            for part, count in expected.items()
        ]
    return f"{'yes' if here == expected else 'no'}: {', '.join(texts)}" if expected else ""


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
