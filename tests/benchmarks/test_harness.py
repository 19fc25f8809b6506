"""Arithmetic of benchmarks, with a fake clock."""

import json

import pytest


class Clock:
    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self):
        return self.now

    def work(self, name, *seconds):
        """Return work that takes these seconds in turn, then always the last."""
        left = list(seconds)

        def run():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock():
    return Clock()


def test_variants_alternate_after_one_warm_up_each(script, clock):
    variants = {name: clock.work(name, 1) for name in ("baseline", "ours", "roofline")}
    script("harness").time_variants(variants, rounds=3, clock=clock)
    assert "".join(name[0] for name in clock.calls) == "bor" + "bor" + "orb" + "rbo"


def test_ratios_are_per_round_without_warm_up(script, clock):
    """All variants are about three times slower in round two: the ratio hardly changes, unlike the medians."""
    variants = {
        "baseline": clock.work("baseline", 99, 4, 12, 4),
        "ours": clock.work("ours", 99, 2, 4, 2),
        "roofline": clock.work("roofline", 99, 1, 3, 1),
    }
    row = script("harness").measure_variants("work", variants, items=8, rounds=3, target=1.9, clock=clock)
    assert row.values == {"baseline": 8 / 4, "ours": 8 / 2, "roofline": 8 / 1}
    speedup, fraction = row.ratios["baseline"], row.ratios["roofline"]
    assert (speedup.median, speedup.low, speedup.high) == (2, 2, 3)
    assert (fraction.median, fraction.low, fraction.high) == (0.5, 0.5, 0.75)
    assert row.target_met


@pytest.mark.parametrize(
    ("variants", "target", "met"),
    [
        ({"baseline": [3.0], "ours": [2.0]}, 1.5, True),
        ({"baseline": [3.0], "ours": [2.0]}, 1.51, False),
        ({"baseline": [3.0], "ours": [2.0]}, None, None),
        (
            {"roofline": [0.9], "ours": [1.0]},
            0.9,
            True,
        ),  # without a baseline, the target is a fraction of the roofline
        ({"timm": [9.0], "ours": [1.0]}, 2, None),  # another package has no target
        (
            {"baseline": [1.0], "roofline": [0.99], "ours": [1.0]},
            0.99 + 1e-9,
            True,
        ),  # with a baseline, the target is a speedup
    ],
)
def test_target_compares_with_baseline_or_else_roofline(script, variants, target, met):
    assert script("harness").make_row("x", variants, target=target).target_met is met


def test_costs_in_seconds_are_per_item(script):
    row = script("harness").make_row
    assert row("t", {"ours": [0.5]}, items=10, unit="ms").values == {"ours": 50}
    assert row("m", {"baseline": [6e6], "ours": [2e6]}, unit="MB").values == {"baseline": 6, "ours": 2}


def test_table_has_variants_ratios_and_target(script):
    harness, rows = script("harness"), script("results_table")
    measured = [
        harness.make_row("first", {"baseline": [0.01], "ours": [0.004]}, target=3, note="same pixels"),
        harness.make_row("second", {"timm": [0.03], "ours": [0.02], "roofline": [0.01]}),
    ]
    head, rule, first, second = rows.rows_to_markdown(measured).splitlines()
    cells = [cell.strip() for cell in head.split("|")[1:-1]]
    assert cells == [
        *("what", "unit", "baseline", "ours", "timm", "roofline"),
        *("baseline ÷ ours", "timm ÷ ours", "fraction of roofline", "target", "target met", "note"),
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


def test_json_round_trip_has_machine_date_and_versions(script, monkeypatch, tmp_path, capsys):
    harness, rows = script("harness"), script("results_table")
    file = tmp_path / "new" / "decode.json"
    monkeypatch.setattr("sys.argv", ["benchmarks/decode.py", "--json", str(file), "--rounds", "2"])
    harness.parse_options.cache_clear()
    measured = harness.measure_variants("nothing", {"baseline": int, "ours": int}, unit="ms")
    harness.report_results("Of nothing", [measured])
    written = json.loads(file.read_text())
    assert written["script"] == "decode"
    assert written["versions"]["torch"]
    assert written["date"][:2] == "20"
    assert written["machine"]["cores"] >= 1
    assert written["machine"]["memory_gib"] > 0.1
    assert rows.BenchmarkReport.model_validate(written).rows == (measured,)
    assert "Of nothing" in capsys.readouterr().out
    harness.parse_options.cache_clear()


def test_cpuinfo_is_read_by_key(script, tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("model\t\t: 143\nmodel name\t: Some CPU: fast\nflags\t\t: fpu avx512f amx_bf16\n")
    line = script("machine").read_cpuinfo
    assert line("model name", file) == "Some CPU: fast"
    assert line("flags", file).split()[1:] == ["avx512f", "amx_bf16"]
    assert line("stepping", file) == ""
    assert line("flags", tmp_path / "none") == ""


def test_target_is_above_roofline_only_outside_its_interval(script):
    row, verdict = script("results_table").make_row, script("results_table").target_verdict
    costs = {"baseline": [6.0, 8.0], "ours": [4.0, 4.0], "roofline": [3.0, 2.0]}
    measured = row("x", costs, target=4.5)
    assert (measured.max_speedup.low, measured.max_speedup.median, measured.max_speedup.high) == (2, 3, 4)
    verdicts = {target: verdict(row("x", costs, target=target)) for target in (1.5, 2.9, 3.9, 4.1)}
    assert verdicts == {
        1.5: "yes",
        2.9: "no: 0.97 of the roofline",
        3.9: "no: 1.30 of the roofline",
        4.1: "above roofline",
    }
    beaten = {"baseline": [10.0], "ours": [3.2], "roofline": [4.0]}  # faster than the roofline
    assert verdict(row("x", beaten, target=3.5)) == "no: 1.40 of the roofline"
    no_baseline = row("x", {"ours": [4.0], "roofline": [3.0]}, target=0.9)
    assert (no_baseline.max_speedup, verdict(no_baseline)) == (None, "no")
