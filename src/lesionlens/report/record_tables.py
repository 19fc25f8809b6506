"""Markdown tables of a JSON record whose fields are not known in advance: every number of it is shown."""

from collections.abc import Collection, Iterator
from typing import Any

from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL, display_name, format_interval, format_value
from lesionlens.report.markdown import bullets, escape_markdown, markdown_table

ESTIMATE_KEYS = {"value", "low", "high"}
KEY_WORDS = {
    "n": "number of",
    "num": "number of",
    "ood": "unknown images",
    "sha256": "SHA-256",
    **{word.lower(): word for word in ("AUC", "ECE", "IoU", "NPV", "PPV", "ROAD")},
}
"""Words of keys that are not shown as they are."""


def record_tables(record: dict[str, Any], *, omitted: Collection[str] = ()) -> str:
    """Return a table of the single values of a record, then one for each list of records in it.

    Parameters
    ----------
    omitted
        Keys that are not shown, such as those of curves.
    """
    shown = {key: value for key, value in record.items() if key not in omitted}
    lists = {key: value for key, value in shown.items() if _is_record_list(value)}
    notes = [str(note) for note in shown.pop("caveats", ())]
    rows = list(_flat_rows({key: value for key, value in shown.items() if key not in lists}))
    tables = [markdown_table(["Quantity", "Value"], rows)] if rows else []
    tables += [f"{_title(key)}:\n\n{_list_table(value)}" for key, value in lists.items()]
    tables += [f"Notes:\n\n{bullets(map(escape_markdown, notes))}"] if notes else []
    return "\n\n".join(tables)


def format_record_value(value: Any) -> str:
    """Return a value of a JSON record as text: numbers with four digits, an estimate with its interval.

    Examples
    --------
    >>> format_record_value(0.123456), format_record_value({"value": 1.5, "low": 1.2, "high": None})
    ('0.1235', '1.500')
    >>> format_record_value({"nevus": 0.5, "melanoma": None}), format_record_value([0.8, 1200])
    ('nevus 0.5, melanoma –', '0.8, 1,200')
    """
    if value is None:
        return UNDEFINED_SYMBOL
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return _format_dict(value)
    if isinstance(value, list):
        return ", ".join(map(format_record_value, value)) or "none"
    return escape_markdown(display_name(value) if str(value).isidentifier() else str(value))


def _format_dict(value: dict[str, Any]) -> str:
    if set(value) == ESTIMATE_KEYS:
        return _format_bounds(value)
    return ", ".join(f"{_title(key, first=False)} {format_record_value(item)}" for key, item in value.items())


def _format_bounds(record: dict[str, Any]) -> str:
    value, low, high = (
        float("nan") if record[key] is None else record[key] for key in ("value", "low", "high")
    )
    interval = "" if None in (record["low"], record["high"]) else format_interval(low, high)
    return f"{format_value(value)} ({interval})" if interval else format_value(value)


def _flat_rows(record: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        name = f"{prefix}{_title(key, first=not prefix)}"
        if isinstance(value, dict) and set(value) != ESTIMATE_KEYS:
            yield from _flat_rows(value, f"{name}, ")
        else:
            yield name, format_record_value(value)


def _list_table(records: list[dict[str, Any]]) -> str:
    folded = [_fold_estimate(record) for record in records]
    keys = list(dict.fromkeys(key for record in folded for key in record))
    rows = [[format_record_value(record[key]) if key in record else "" for key in keys] for record in folded]
    return markdown_table([_title(key) for key in keys], rows)


def _fold_estimate(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record in which value, low and high are one estimate."""
    if not set(record) > ESTIMATE_KEYS:
        return record
    estimate = {key: record[key] for key in ("value", "low", "high")}
    return {**{key: item for key, item in record.items() if key not in ESTIMATE_KEYS}, "value": estimate}


def _is_record_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _title(key: str, *, first: bool = True) -> str:
    words = (KEY_WORDS.get(word, word) for word in str(key).split("_"))
    text = escape_markdown(" ".join(words))
    return text[:1].upper() + text[1:] if first else text
