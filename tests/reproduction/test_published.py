"""Published values of the tables against independent transcriptions of the papers, stored outside the repository."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lesionlens.reproduction.catalog import list_tables, load_table_spec

Numbers = dict[tuple[str, str, str], tuple[float, float | None]]

ARL5 = {"channel_softmax": "Channel-wise softmax", "mixed_sigmoid": "Mixed sigmoid",
        "spatial_softmax": "Spatial-wise softmax"}  # fmt: skip
PATCH = {"MC_sensitivity": "MC-Sensitivity", "MC_specificity": "MC-Specificity", "F1_score": "F1-Score"}


def flat(experiment: str, rows: dict, columns=lambda key: key.replace("_", " ")) -> Iterator[tuple]:
    for row, values in rows.items():
        for key, value in (values or {}).items():
            if isinstance(value, float):
                yield (experiment, row, columns(key)), (value, None)


def arl(tables: dict) -> Iterator[tuple]:
    yield from flat("arl/table3", tables["table_3"]["rows"])
    yield (
        ("arl/table4", "ARL-CNN50", "Average AUC"),
        (tables["table_4"]["rows"]["ARL-CNN50"]["AVG_AUC"], None),
    )
    yield from flat("arl/table5", {ARL5[row]: values for row, values in tables["table_5"]["rows"].items()})
    names = {"_noseg": " without segmentation", "_seg": " with segmentation"}
    for row, values in tables["table_6"]["rows"].items():
        network, _, suffix = row.partition("_")
        renamed = {network + names[f"_{suffix}"]: values}
        yield from flat("arl/table6", renamed, lambda key: key.replace("AVG_", "Average ").replace("_", " "))
    for network, text in tables["table_7"]["rows"].items():
        spread = (text["sum_sq_dev"] / 9) ** 0.5
        yield ("arl/table7", f"{network}, ten runs", "Average AUC"), (text["mean_avg_auc_pct"], spread)
    (gray,) = tables["text_color_constancy"]["rows"].values()
    yield ("arl/section5f", "ARL-CNN50 on gray-world images", "Average AUC"), (gray["AVG_AUC"], None)
    average_auc = tables["table_6"]["rows"]["ARL-CNN50_noseg"]["AVG_AUC"]
    yield ("arl/section5f", "ARL-CNN50", "Average AUC"), (average_auc, None)


def attnmel(tables: dict) -> Iterator[tuple]:
    for name in ("3_1", "3_2", "3_4"):
        yield from flat(f"attnmel/table{name.replace('_', '.')}", tables[f"table_{name}"]["rows"])


def patch(tables: dict) -> Iterator[tuple]:
    for number in range(2, 7):
        for network, rows in tables[f"table_{number}"]["rows"].items():
            for row, values in rows.items():
                for key, value in values.items():
                    if value is not None:
                        name = f"{network}, {row.replace('k=', 'k = ')}"
                        yield (f"patch/table{number}", name, PATCH[key]), (value["mean"], value["std"])


def soft(tables: dict) -> Iterator[tuple]:
    for what in ("precision", "auc"):
        head = {"precision": "Precision", "auc": "AUC"}[what]

        def column(key: str, head: str = head) -> str:
            return f"{head} {'W.Avg' if key == 'WAvg' else key}"

        yield from flat("soft/table1", tables["table_1"][what], column)
        for split, classes in tables["table_2"]["rows"].items():
            row = {split.replace("_", " = "): {name: values[what] for name, values in classes.items()}}
            yield from flat("soft/table2", row, column)
    yield from flat(
        "soft/table3", {row.partition(" [")[0]: v for row, v in tables["table_3"]["rows"].items()}
    )
    renamed = {"IRv2_12x12+SA": "IRv2 12 × 12 + SA", "IRv2_5x5+SA": "IRv2 5 × 5 + SA"}
    yield from flat("soft/table4", {renamed.get(row, row): v for row, v in tables["table_4"]["rows"].items()})


PAPERS = {
    "arl": ("arl_cnn", arl),
    "attnmel": ("attnmel", attnmel),
    "patch": ("gessert_patch", patch),
    "soft": ("datta_soft_attention", soft),
}


@pytest.mark.real_data
@pytest.mark.parametrize("paper", PAPERS)
def test_published_values_equal_independent_transcriptions(paper: str, real_data: Path) -> None:
    file, read = PAPERS[paper]
    source = real_data.parent / "published" / f"{file}.yaml"
    if not source.is_file():
        pytest.skip(f"no published numbers at {source}")
    theirs: Numbers = dict(read(yaml.safe_load(source.read_text())["tables"]))
    ours: Numbers = {
        (name, row.name, column): (value.value, value.spread)
        for name in list_tables()
        if name.startswith(f"{paper}/") and load_table_spec(name).unit != "count"  # see test_class_counts
        for row in load_table_spec(name).rows
        if (name, row.group)
        != ("arl/table4", "Challenge records")  # quoted from attnmel/table3.2, see test_tables
        for column, value in row.published.items()
    }
    assert ours.keys() == theirs.keys()
    for key, (value, spread) in theirs.items():
        assert ours[key][0] == value, key
        assert ours[key][1] == (spread if spread is None else pytest.approx(spread, abs=5e-5)), key
