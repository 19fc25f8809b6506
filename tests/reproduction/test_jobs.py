"""Names of runs depend on everything that affects the result, and not on the machine."""

from pathlib import Path

import pytest

from lesionlens.reproduction.jobs import expand_jobs, recipe_digest
from lesionlens.reproduction.machine_paths import machine_independent
from lesionlens.runs.load import load_recipe

SPATIAL, SAME = "arl/table5:spatial-melanoma", "arl/table3:arl-cnn50-melanoma"


def key(name: str, *overrides: str, out: Path = Path("out")) -> str:
    return expand_jobs(load_recipe(name, overrides), out)[0].key


def test_equal_recipes_of_two_tables_have_one_run() -> None:
    assert key(SPATIAL) == key(SAME)
    assert key(SPATIAL).startswith("arl_cnn50-melanoma-s0-")


@pytest.mark.parametrize(
    "override",
    [
        "train.epochs=7",
        "train.seed=1",
        "data.task=nevus",
        "model.input_size=96",
        "attention_prior=lesion",
        "crops.seed=3",
        "crops.train.resample=true",
        "train.epsilon_placement=keras",
        "data.max_images=9",
    ],
)
def test_settings_that_affect_the_result_change_the_name(override: str) -> None:
    assert key(SPATIAL)[-8:] != key(SPATIAL, override)[-8:]


@pytest.mark.parametrize(
    "override",
    [
        "train.device=cpu",
        "train.num_threads=1",
        "train.num_workers=2",
        "data.cache_dir=/elsewhere",
        "data.cache=jpeg",
        "data=isic2017:/elsewhere/isic2017",
    ],
)
def test_machine_settings_do_not_change_the_name(override: str) -> None:
    assert key(SPATIAL) == key(SPATIAL, override)


def test_datasets_of_the_reproduction_are_named_by_path(tmp_path: Path) -> None:
    first, second = (f"data=table:{tmp_path}/data/{name}/images.csv" for name in ("even", "planted"))
    assert key(SPATIAL, first, out=tmp_path) != key(SPATIAL, second, out=tmp_path)
    assert (
        machine_independent(f"table:{tmp_path}/data/even/images.csv", tmp_path)
        == "table:data/even/images.csv"
    )
    assert machine_independent("isic2017:/data/isic2017", tmp_path) == "isic2017:"


def test_runs_and_folds() -> None:
    jobs = expand_jobs(load_recipe("patch/table2:dense121-dual-attention", ["num_repeats=2"]), Path())
    assert [(job.run, job.fold) for job in jobs] == [(run, fold) for run in (0, 1) for fold in (0, 1, 2)]
    assert len({job.key for job in jobs}) == 6
    assert jobs[0].key.startswith("patch_densenet121_dual-all-s0f0-")


def test_keys_that_later_versions_added_do_not_change_names() -> None:
    assert recipe_digest(load_recipe("patch/table2:dense121-gru"), Path("out")) == "cd4d0121"
