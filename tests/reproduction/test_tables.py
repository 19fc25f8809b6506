"""Tests of the tables and figures of the papers: contents, recipes and metrics."""

from functools import cache

import pytest
import torch
from scipy.stats import ttest_ind_from_stats

from lesionlens.core.taxonomy import ISIC2016_CLASSES, ISIC2017_CLASSES, ISIC2018_CLASSES
from lesionlens.datasets.tasks import make_task
from lesionlens.evaluation.registry import METRICS
from lesionlens.explanation.map_metrics import MASK_METRICS
from lesionlens.models.backbone import meta_device
from lesionlens.models.factory import create_model
from lesionlens.reproduction.catalog import list_tables, load_table_spec
from lesionlens.reproduction.claim_hypotheses import expand_claim
from lesionlens.reproduction.column_spec import ColumnSpec
from lesionlens.reproduction.spec import RowSpec
from lesionlens.runs.load import load_recipe
from lesionlens.runs.schema import Recipe

read = cache(load_table_spec)
recipe_of = cache(load_recipe)

CLASSES = {
    "isic2016": ISIC2016_CLASSES,
    "isic2017": ISIC2017_CLASSES,
    "isic2018": ISIC2018_CLASSES,
    "ham10000": ISIC2018_CLASSES,
    "derm7pt": tuple(name for name in ISIC2018_CLASSES if name != "actinic_keratosis"),
}
MAPS = {"cam", "gradcam", "soft", "end-crops", "gate-pool3", "gate-pool4"}
MAPS |= {f"features-layer{block}" for block in ("2.0", "3.2", "4.2")}  # of ARL-CNN50
PAPERS = [name for name in list_tables() if not name.startswith("open/")]

# numbers of rows, trained rows, columns, claims and published values, counted in the papers
COUNTS = {
    "arl/table3": (8, 8, 8, 4, 5 + 4 + 4 + 8),
    "arl/table4": (4, 1, 3, 0, 4),
    "arl/table5": (3, 3, 8, 5, 24),
    "arl/table6": (4, 4, 3, 5, 12),
    "arl/table7": (2, 2, 3, 1, 2),
    "arl/section5f": (2, 2, 3, 1, 2),
    "attnmel/table3.1": (7, 4, 2, 6, 14),
    "attnmel/table3.2": (12, 7, 2, 12, 5 + 14),
    "attnmel/table3.3": (7, 7, 1, 13, 0),
    "attnmel/table3.4": (5, 5, 8, 7, 40),
    "patch/table1": (3, 0, 7, 0, 21),
    "patch/table2": (24, 24, 3, 13, 63),
    "patch/table3": (18, 18, 3, 28, 54 - 2),
    "patch/table4": (9, 9, 3, 13, 27),
    "patch/table5": (15, 15, 3, 16, 45),
    "patch/table6": (15, 15, 3, 16, 45),
    "patch/fig5": (15, 15, 1, 6, 0),
    "soft/table1": (15, 15, 18, 20, 180),
    "soft/table2": (3, 3, 18, 2, 54),
    "soft/table3": (6, 1, 3, 0, 2 + 2 + 2 + 1 + 2 + 3),
    "soft/table4": (6, 2, 4, 4, 24),
}  # fmt: skip


EACH = pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
"""The first row that is trained, or every row."""


def recipes(name: str, *, every: bool = True) -> list[tuple[RowSpec, str, Recipe]]:
    rows = [row for row in read(name).rows if row.recipe]
    return [
        (row, variant, recipe_of(f"{name}:{recipe.slug}"))
        for row in (rows if every else rows[:1])
        for variant, recipe in read(name).recipes_of(row).items()
    ]


@pytest.mark.parametrize("name", PAPERS)
def test_file_names_paper_and_source(name: str) -> None:
    experiment = read(name)
    assert experiment.paper == name.partition("/")[0]
    assert "doi:" in experiment.source or "MSc thesis" in experiment.source
    assert experiment.title.partition(" ")[0] in {"Table", "Fig.", "Section"}
    assert experiment.differences
    assert (experiment.figure is not None) == ("fig" in name)


@EACH
@pytest.mark.parametrize("name", list_tables())
def test_recipes_use_the_dataset_of_the_table(name: str, every: bool) -> None:
    experiment = read(name)
    for row, _, recipe in recipes(name, every=every):
        assert recipe.data.source.partition(":")[0] in {experiment.dataset, "set"}, row.name


@EACH
@pytest.mark.parametrize("name", PAPERS)
def test_columns_are_measures_of_classes_that_the_networks_score(name: str, every: bool) -> None:
    experiment = read(name)
    for metric in experiment.columns:
        for row, variant, recipe in recipes(name, every=every):
            if metric.metric and metric.variant == variant:
                outputs = make_task(recipe.data.task, CLASSES[experiment.dataset]).output_names
                assert measured(metric, outputs) or of_a_map(metric, row), (metric, row.name)


def measured(metric: ColumnSpec, outputs: tuple[str, ...]) -> bool:
    return metric.metric in METRICS and metric.scope in METRICS[metric.metric].scopes(outputs)


def of_a_map(metric: ColumnSpec, row: RowSpec) -> bool:
    return metric.metric in MASK_METRICS and row.maps.get(metric.name, metric.map) in MAPS


@pytest.mark.parametrize("name", [name for name in PAPERS if read(name).figure])
def test_panels_show_existing_maps_and_classes(name: str) -> None:
    experiment = read(name)
    trained = {(row.name, variant): recipe for row, variant, recipe in recipes(name)}
    for panel in experiment.figure.panels:
        outputs = make_task(
            trained[panel.row, panel.variant].data.task, CLASSES[experiment.dataset]
        ).output_names
        assert panel.map in {*MAPS, ""}
        assert panel.target_class in {*outputs, ""}


def test_counts_match_the_papers() -> None:
    counts = {}
    for name in (name for name in PAPERS if name in COUNTS or read(name).figure is None):
        spec = read(name)
        trained, numbers = (
            sum(bool(row.recipe) for row in spec.rows),
            sum(len(row.published) for row in spec.rows),
        )
        counts[name] = (len(spec.rows), trained, len(spec.columns), len(spec.claims), numbers)
    assert counts == COUNTS


def published(name: str, row: str) -> dict[str, tuple[float, float | None]]:
    return {column: (value.value, value.spread) for column, value in read(name).row(row).published.items()}


def test_rows_that_are_one_training_have_one_number() -> None:
    for network in ("InceptV3", "Dense121", "SE-RX"):
        once = published("patch/table2", f"{network}, Multi-Crop")
        assert once == published("patch/table3", f"{network}, Multi-Crop 9")
        assert once == published("patch/table5", f"{network}, Loss Weighting")
        assert once == published("patch/table6", f"{network}, k = 1.00")
        assert published("patch/table2", f"{network}, Initial Attention") == published(
            "patch/table3", f"{network}, Attention 9"
        )
    assert published("arl/table3", "ARL-CNN50") == published("arl/table5", "Spatial-wise softmax")
    for network in ("ResNet50", "RAN50", "ARL-CNN50"):
        quoted = published("soft/table4", network)
        own = published("arl/table3", network)
        names = {"AUC": "SK AUC", "Accuracy": "SK ACC", "Sensitivity": "SK SEN", "Specificity": "SK SPE"}
        assert quoted == {column: own[name] for column, name in names.items()}


# marks of the thesis: Lesion, Interp, Ensemble; and Lesion, Dermo, Interp, Ensemble, External
MARKS = {
    "attnmel/table3.1": "✓✗✗ ✗✗✓ ✗✗✓ ✗✗✗ ✗✓✗ ✗✗✗ ✗✓✗",
    "attnmel/table3.2": "✗✗✗✓✓ ✓✓✗✗✓ ✗✗✗✓✓ ✗✗✗✓✗ ✗✗✗✓✓ ✗✗✗✗✗ ✗✗✓✗✗ ✗✗✗✗✗ ✗✗✓✗✗ ✗✓✓✗✗ ✓✗✓✗✗ ✓✗✓✗✗",
}


@pytest.mark.parametrize("name", MARKS)
def test_marks_are_those_of_the_thesis(name: str) -> None:
    marks = [
        "".join("✓" if row.attributes[key] else "✗" for key in read(name).attributes)
        for row in read(name).rows
    ]
    assert " ".join(marks) == MARKS[name]


def test_challenge_records_are_those_of_the_thesis() -> None:
    records = ["Matsunaga et al.", "Díaz", "Menegola et al."]
    for number, row in enumerate(records, 1):
        quoted = published("attnmel/table3.2", f"Winner {number}")["AUC"]
        assert published("arl/table4", row) == {"M AUC": quoted}


def test_claims_on_all_rows_exclude_controls() -> None:
    spec = read("patch/table2")
    (claim,) = (claim for claim in spec.claims if getattr(claim, "equivalent", ()) == ("all",))
    (hypothesis,) = expand_claim(spec, claim)
    rows = {row for row, _ in hypothesis.cells}
    assert len(rows) == 21
    assert not any("Ordered Crops" in row for row in rows)


# tolerance: the last digit of a published mean of rounded values
MEANS = [
    ("arl/table6", "Average AUC", ["M AUC", "SK AUC"], 0.0011),
    ("attnmel/table3.4", "AVG", ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"], 0.0011),
    *(
        (table, f"{what} Avg", [f"{what} {name}" for name in ("AKIEC", "BCC", "BKL", "DF", "MEL", "NV", "VASC")], near)
        for table in ("soft/table1", "soft/table2")
        for what, near in (("Precision", 0.006), ("AUC", 0.0011))
    ),
]  # fmt: skip
SLIPS = {("soft/table1", "IRv2+SA", "AUC Avg")}  # its DF is 0.982 where Table 2 has 0.973


@pytest.mark.parametrize(("name", "column", "of", "near"), MEANS)
def test_printed_means_are_the_means_of_the_printed_numbers(
    name: str, column: str, of: list[str], near: float
) -> None:
    for row in read(name).rows:
        if column in row.published:
            mean = sum(row.published[part].value for part in of) / len(of)
            fits = row.published[column].value == pytest.approx(mean, abs=near)
            assert fits != ((name, row.name, column) in SLIPS), (row.name, mean)


def test_the_spreads_of_table_vii_give_the_papers_t() -> None:
    (x, sx), (y, sy) = (
        published("arl/table7", f"{network}, ten runs")["Average AUC"]
        for network in ("ResNet50", "ARL-CNN50")
    )
    assert ttest_ind_from_stats(x, sx, 10, y, sy, 10).statistic == pytest.approx(-78.26, abs=0.05)


def test_claims_that_published_numbers_contradict_say_so() -> None:
    contradicted = set()
    for name in PAPERS:
        spec = read(name)
        for hypothesis in (item for claim in spec.claims for item in expand_claim(spec, claim)):
            if hypothesis.support(hypothesis.published_value(spec)) <= 0:
                contradicted.add((name, hypothesis.statement, hypothesis.subject))
                quote = hypothesis.quote
                assert "published" in quote or "By the numbers" in quote, hypothesis
    assert contradicted == {
        ("attnmel/table3.2", "AttnMel-CNN-Dermo better than AttnMel-CNN", "AUC"),
        ("patch/table5", "InceptV3, No Balancing better than InceptV3, Oversampling", "MC-Sensitivity"),
        ("patch/table5", "Dense121, No Balancing better than Dense121, Oversampling", "MC-Sensitivity"),
        (
            "patch/table4",
            "Gain of InceptV3, Attention over InceptV3, Multi-Crop larger in MC-Sensitivity than in F1-Score",
            "MC-Sensitivity and F1-Score",
        ),
    }


# differences of the texts: what the claims say of published numbers, in the table's unit
QUOTED = {
    ("arl/table6", "interaction"): [0.006],
    ("arl/section5f", "equivalent"): [0.001],
    ("attnmel/table3.4", "equivalent"): [0.386],
    ("patch/table3", "interaction"): [2.7, 5.2, 1.6, 3.2, 2.6, 4.2],
    ("patch/table3", "equivalent"): [-0.6, 0.1, -0.4, -0.4, -0.2, -0.4, -1.3],
    ("soft/table1", "equivalent"): [0.001, -0.003, 0.001, 0, 0],
}


@pytest.mark.parametrize(("name", "kind"), QUOTED)
def test_claims_on_published_numbers_are_those_of_the_texts(name: str, kind: str) -> None:
    spec = read(name)
    hypotheses = [item for claim in spec.claims for item in expand_claim(spec, claim) if item.kind == kind]
    values = [item.published_value(spec) for item in hypotheses]
    assert values[: len(QUOTED[name, kind])] == pytest.approx(QUOTED[name, kind], abs=5e-4)


def test_the_layers_of_fig_7_are_those_that_end_their_blocks() -> None:
    with meta_device():
        model = create_model("arl_cnn50", num_classes=2, weights="none")
    convolutions = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Conv2d) and "downsample" not in name
    ]
    gates = read("arl/fig7").figure.attention_scales
    for column, title in gates.items():
        block, layer = (
            column.removeprefix("alpha/"),
            int(title.removesuffix("th layer").removesuffix("st layer")),
        )
        assert convolutions[layer - 1].endswith(f"{block}.conv3")


def test_extra_images_of_the_arl_paper() -> None:
    """Section IV.A: 1,320 images; Figs. 8 and 10 show preprocessing only."""
    for name in (
        name for name in PAPERS if name.startswith("arl/") and name not in {"arl/fig8", "arl/fig10"}
    ):
        assert list(read(name).extra_train.values()) == [466, 822, 32], name


def test_patch_dropout_sweeps_as_its_axis_says() -> None:
    experiment = read("patch/fig5")
    for row, _, recipe in recipes("patch/fig5"):
        assert recipe.model.kwargs["patch_dropout"] == row.x_value
    assert len({row.group for row in experiment.rows}) == 3
