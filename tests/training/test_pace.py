"""Workers by measured times, and a measurement that leaves no trace."""

import pytest
import torch

from lesionlens.core.runtime import default_num_threads
from lesionlens.data.datamodule import ThreadedDataset
from lesionlens.training import loader_benchmark as measure_pace
from lesionlens.training.loader_benchmark import measure_step_timings, tune_workers
from lesionlens.training.autotune import StepTimings, choose_workers
from lesionlens.training.setup import set_up_run
from lesionlens.runs.load import load_recipe
from lesionlens.training.build import RunComponents, build_datamodule, build_module
from lesionlens.training.module import ClassificationModule


@pytest.fixture
def made(recipe: str, words: list[str]) -> tuple[RunComponents, ClassificationModule]:
    """Give all that is known before the first step."""
    prepared = set_up_run(load_recipe(recipe, words))
    ready = build_datamodule(prepared)
    return ready, build_module(ready.setup, prepared.resolved_model.build(len(prepared.task.output_names)).model)


# load is what two threads make of load_alone
@pytest.mark.parametrize("step", [0.01, 0.05, 0.5])
def test_on_two_cores_no_process_helps(step: float) -> None:
    assert choose_workers(StepTimings(load=0.012, load_single_thread=0.02, step=step), 2, on_cpu=True) == 0


def test_on_a_cpu_processes_help_where_threads_hold_each_other_up() -> None:
    held_up = StepTimings(load=0.2, load_single_thread=0.4, step=0.2)  # 16 threads bring twice the speed of one
    assert choose_workers(held_up, 16, on_cpu=True) == 2  # 0.2 + 0.4/16 a step, and 0.4/2 to load
    assert choose_workers(held_up._replace(load=0.03), 16, on_cpu=True) == 0


@pytest.mark.parametrize(("load_alone", "expected"), [(0.01, 0), (0.1, 1), (0.35, 4), (5.0, 8)])
def test_before_a_card_as_many_as_hide_the_loading(load_alone: float, expected: int) -> None:
    assert choose_workers(StepTimings(load_alone, load_alone, step=0.1), 8, on_cpu=False) == expected


def test_measuring_leaves_no_trace(made: tuple[RunComponents, ClassificationModule]) -> None:
    ready, task = made
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    first = [batch.crops for batch in ready.datamodule.train_dataloader()]
    stream = torch.random.get_rng_state()
    times = measure_step_timings(ready.datamodule, task, torch.device("cpu"))
    assert min(times) > 0
    assert torch.equal(stream, torch.random.get_rng_state())
    assert all(torch.equal(value, task.model.state_dict()[name]) for name, value in before.items())
    assert all(weight.grad is None for weight in task.model.parameters())
    again = [batch.crops for batch in ready.datamodule.train_dataloader()]
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_a_short_run_measures_nothing_a_long_one_once(
    made: tuple[RunComponents, ClassificationModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, task = made
    measured: list[object] = []
    monkeypatch.setattr(
        measure_pace, "measure_step_timings", lambda *asked: measured.append(asked) or StepTimings(9.0, 9.0, 9.0)
    )
    assert tune_workers(ready, task).setup.recipe.train.num_workers == 0
    assert measured == []
    longer = measure_pace.resolve_auto(ready.setup, "train", epochs=50, threads=1)
    chosen = tune_workers(RunComponents(longer, ready.datamodule), task).setup.recipe.train
    assert len(measured) == 1
    assert (chosen.num_workers, chosen.num_threads) == (
        choose_workers(StepTimings(9.0, 9.0, 9.0), measure_pace.available_cpus(), on_cpu=True),
        1,
    )


def test_what_is_said_is_done(made: tuple[RunComponents, ClassificationModule]) -> None:
    ready, task = made
    threads = torch.get_num_threads()
    said = measure_pace.resolve_auto(ready.setup, "train", epochs=50, threads=2, workers=2)
    try:
        assert tune_workers(RunComponents(said, ready.datamodule), task).setup.recipe.train.num_workers == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert ready.datamodule.train_dataloader().num_workers == 2


def test_threads_load_what_one_thread_loads(made: tuple[RunComponents, ClassificationModule]) -> None:
    data = made[0].datamodule
    one = list(data.train_dataloader())
    data.num_threads = 3
    loader = data.train_dataloader()
    assert isinstance(loader.dataset, ThreadedDataset)
    for expected, found in zip(one, loader, strict=True):
        assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))


def test_threads_are_as_many_as_the_user_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionlens.core.runtime.available_cpus", lambda: 6)
    for said, expected in (("", 6), ("4", 4), ("99", 6), ("0", 1), ("2,1", 6)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        assert default_num_threads() == expected
