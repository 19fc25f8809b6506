"""Workers by measured times, and a measurement that leaves no trace."""

import pytest
import torch

from lesionlens.cores import compute_threads
from lesionlens.data.in_threads import InThreads
from lesionlens.training import measure_pace
from lesionlens.training.measure_pace import measure, paced
from lesionlens.training.pace import Times, choose_workers
from lesionlens.training.prepare import prepare
from lesionlens.training.read_recipe import read_recipe
from lesionlens.training.ready import Ready, make_data, make_task
from lesionlens.training.task import Classification


@pytest.fixture
def made(recipe: str, words: list[str]) -> tuple[Ready, Classification]:
    """Give all that is known before the first step."""
    prepared = prepare(read_recipe(recipe, words))
    ready = make_data(prepared)
    return ready, make_task(ready.prepared, prepared.network.make(len(prepared.task.outputs)).model)


# load is what two threads make of load_alone
@pytest.mark.parametrize("step", [0.01, 0.05, 0.5])
def test_on_two_cores_no_process_helps(step: float) -> None:
    assert choose_workers(Times(load=0.012, load_alone=0.02, step=step), 2, on_cpu=True) == 0


def test_on_a_cpu_processes_help_where_threads_hold_each_other_up() -> None:
    held_up = Times(load=0.2, load_alone=0.4, step=0.2)  # 16 threads bring twice the speed of one
    assert choose_workers(held_up, 16, on_cpu=True) == 2  # 0.2 + 0.4/16 a step, and 0.4/2 to load
    assert choose_workers(held_up._replace(load=0.03), 16, on_cpu=True) == 0


@pytest.mark.parametrize(("load_alone", "expected"), [(0.01, 0), (0.1, 1), (0.35, 4), (5.0, 8)])
def test_before_a_card_as_many_as_hide_the_loading(load_alone: float, expected: int) -> None:
    assert choose_workers(Times(load_alone, load_alone, step=0.1), 8, on_cpu=False) == expected


def test_measuring_leaves_no_trace(made: tuple[Ready, Classification]) -> None:
    ready, task = made
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    first = [batch.views for batch in ready.data.train_dataloader()]
    stream = torch.random.get_rng_state()
    times = measure(ready.data, task, torch.device("cpu"))
    assert min(times) > 0
    assert torch.equal(stream, torch.random.get_rng_state())
    assert all(torch.equal(value, task.model.state_dict()[name]) for name, value in before.items())
    assert all(weight.grad is None for weight in task.model.parameters())
    again = [batch.views for batch in ready.data.train_dataloader()]
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_a_short_run_measures_nothing_a_long_one_once(
    made: tuple[Ready, Classification], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, task = made
    measured: list[object] = []
    monkeypatch.setattr(
        measure_pace, "measure", lambda *asked: measured.append(asked) or Times(9.0, 9.0, 9.0)
    )
    assert paced(ready, task).prepared.recipe.train.workers == 0
    assert measured == []
    longer = measure_pace.with_choice(ready.prepared, "train", epochs=50, threads=1)
    chosen = paced(Ready(longer, ready.data), task).prepared.recipe.train
    assert len(measured) == 1
    assert (chosen.workers, chosen.threads) == (
        choose_workers(Times(9.0, 9.0, 9.0), measure_pace.cores(), on_cpu=True),
        1,
    )


def test_what_is_said_is_done(made: tuple[Ready, Classification]) -> None:
    ready, task = made
    threads = torch.get_num_threads()
    said = measure_pace.with_choice(ready.prepared, "train", epochs=50, threads=2, workers=2)
    try:
        assert paced(Ready(said, ready.data), task).prepared.recipe.train.workers == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert ready.data.train_dataloader().num_workers == 2


def test_threads_load_what_one_thread_loads(made: tuple[Ready, Classification]) -> None:
    data = made[0].data
    one = list(data.train_dataloader())
    data.threads = 3
    loader = data.train_dataloader()
    assert isinstance(loader.dataset, InThreads)
    for expected, found in zip(one, loader, strict=True):
        assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))


def test_threads_are_as_many_as_the_user_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionlens.cores.cores", lambda: 6)
    for said, expected in (("", 6), ("4", 4), ("99", 6), ("0", 1), ("2,1", 6)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        assert compute_threads() == expected
