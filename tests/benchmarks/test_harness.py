"""The arithmetic of benchmarks, with a clock that says what the work tells it."""

import json

import pytest


class Clock:
    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self):
        return self.now

    def work(self, name, *seconds):
        """Take the seconds in turn, the last one for ever."""
        left = list(seconds)

        def run():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock():
    return Clock()


def test_the_ways_take_turns_after_one_warm_up_each(script, clock):
    ways = {name: clock.work(name, 1) for name in ("naive", "ours", "limit")}
    script("harness").timed(ways, rounds=3, clock=clock)
    assert "".join(name[0] for name in clock.calls) == "nol" + "nol" + "oln" + "lno"


def test_ratios_are_taken_round_by_round_and_the_warm_up_does_not_count(script, clock):
    """Both ways slow down threefold in round two: the ratio hardly notices, the medians would."""
    ways = {
        "naive": clock.work("naive", 99, 4, 12, 4),
        "ours": clock.work("ours", 99, 2, 4, 2),
        "limit": clock.work("limit", 99, 1, 3, 1),
    }
    row = script("harness").alternately("work", ways, items=8, rounds=3, demand=1.9, clock=clock)
    assert row.values == {"naive": 8 / 4, "ours": 8 / 2, "limit": 8 / 1}
    naive, share = row.against["naive"], row.against["limit"]
    assert (naive.median, naive.low, naive.high) == (2, 2, 3)
    assert (share.median, share.low, share.high) == (0.5, 0.5, 0.75)
    assert row.met


@pytest.mark.parametrize(
    ("ways", "demand", "met"),
    [
        ({"naive": [3.0], "ours": [2.0]}, 1.5, True),
        ({"naive": [3.0], "ours": [2.0]}, 1.51, False),
        ({"naive": [3.0], "ours": [2.0]}, None, None),
        ({"limit": [0.9], "ours": [1.0]}, 0.9, True),  # no naive way: the share of the limit is judged
        ({"timm": [9.0], "ours": [1.0]}, 2, None),  # a peer is no demand
        (
            {"naive": [1.0], "limit": [0.99], "ours": [1.0]},
            0.99 + 1e-9,
            True,
        ),  # beside naive, the limit is not
    ],
)
def test_a_demand_is_of_the_ratio_to_naive_or_else_of_the_share(script, ways, demand, met):
    assert script("harness").row("x", ways, demand=demand).met is met


def test_costs_that_are_no_rates_are_shown_for_one_item(script):
    row = script("harness").row
    assert row("t", {"ours": [0.5]}, items=10, unit="ms").values == {"ours": 50}
    assert row("m", {"naive": [6e6], "ours": [2e6]}, unit="MB").values == {"naive": 6, "ours": 2}


def test_the_table_shows_each_way_each_ratio_and_what_was_demanded(script):
    harness, rows = script("harness"), script("rows")
    found = [
        harness.row("first", {"naive": [0.01], "ours": [0.004]}, demand=3, note="same pixels"),
        harness.row("second", {"timm": [0.03], "ours": [0.02], "limit": [0.01]}),
    ]
    head, rule, first, second = rows.markdown(found).splitlines()
    cells = [cell.strip() for cell in head.split("|")[1:-1]]
    assert cells == [
        *("what", "unit", "naive", "ours", "timm", "limit"),
        *("naive ÷ ours", "timm ÷ ours", "share of the limit", "demanded", "met", "note"),
    ]
    assert [cell.strip() for cell in first.split("|")[1:7]] == ["first", "img/s", "100", "250", "–", "–"]
    assert "| 2.50 " in first
    assert "≥ 3" in first
    assert "| no " in first
    assert "same pixels" in first
    assert "| 1.50 " in second
    assert "| 0.50 " in second
    assert "≥" not in second
    assert len({len(line) for line in (head, rule, first, second)}) == 1


def test_the_json_holds_machine_date_versions_and_rows_and_comes_back(script, monkeypatch, tmp_path, capsys):
    harness, rows = script("harness"), script("rows")
    file = tmp_path / "new" / "decode.json"
    monkeypatch.setattr("sys.argv", ["benchmarks/decode.py", "--json", str(file), "--rounds", "2"])
    harness.options.cache_clear()
    found = harness.alternately("nothing", {"naive": int, "ours": int}, unit="ms")
    harness.finish("Of nothing", [found])
    written = json.loads(file.read_text())
    assert written["script"] == "decode"
    assert written["versions"]["torch"]
    assert written["date"][:2] == "20"
    assert written["machine"]["cores"] >= 1
    assert written["machine"]["memory_gib"] > 0.1
    assert rows.Report.model_validate(written).rows == (found,)
    assert "Of nothing" in capsys.readouterr().out
    harness.options.cache_clear()


def test_what_linux_says_of_a_processor_is_read_by_its_key(script, tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("model\t\t: 143\nmodel name\t: Some CPU: fast\nflags\t\t: fpu avx512f amx_bf16\n")
    line = script("machine").cpu_line
    assert line("model name", file) == "Some CPU: fast"
    assert line("flags", file).split()[1:] == ["avx512f", "amx_bf16"]
    assert line("stepping", file) == ""
    assert line("flags", tmp_path / "none") == ""


def test_what_is_more_than_the_limit_surely_does_is_out_of_reach(script):
    row, verdict = script("rows").row, script("rows").verdict
    costs = {"naive": [6.0, 8.0], "ours": [4.0, 4.0], "limit": [3.0, 2.0]}
    found = row("x", costs, demand=4.5)
    assert (found.at_most.low, found.at_most.median, found.at_most.high) == (2, 3, 4)
    told = {demand: verdict(row("x", costs, demand=demand)) for demand in (1.5, 2.9, 3.9, 4.1)}
    assert told == {
        1.5: "yes",
        2.9: "no: 0.97 of the limit",
        3.9: "no: 1.30 of the limit",
        4.1: "out of reach",
    }
    beaten = {"naive": [10.0], "ours": [3.2], "limit": [4.0]}  # then it is no limit
    assert verdict(row("x", beaten, demand=3.5)) == "no: 1.40 of the limit"
    alone = row("x", {"ours": [4.0], "limit": [3.0]}, demand=0.9)
    assert (alone.at_most, verdict(alone)) == (None, "no")
