"""Result pages, scaling curves, and discovery of scripts."""

import json

import pytest


@pytest.fixture
def report(script):
    rows, machine = script("results_table"), script("machine")

    def make(name, processor="Slow", day="2030-01-02", **options):
        fake_machine = machine.Machine(
            processor=processor, cores=2, avx512=True, amx=False, memory_gib=24.2, accelerator="", load=0.5
        )
        row = rows.make_row(f"of {name}", {"baseline": [3.0], "ours": [1.0], "roofline": [0.8]}, **options)
        return rows.BenchmarkReport(
            script=name,
            title=name.title(),
            date=f"{day}T03:04",
            machine=fake_machine,
            versions={"torch": "9.9"},
            rows=(row,),
        )

    return make


def test_page_has_a_section_per_machine_and_counts_targets_met(script, report):
    reports = [
        report("steps", target=2),
        report("decode", day="2030-01-05", target=4),
        report("maps"),
        report("decode", processor="Fast", target=3),
    ]
    fast, slow = script("results").render_results(reports).split("## Slow")
    assert "## Fast, 2 cores, AVX-512, 24 GiB" in fast
    assert "Targets met: 1 of 1.\n" in fast
    assert "Targets met: 1 of 2. Above the roofline, which no variant can pass on this machine: 1.\n" in slow
    assert "| above roofline |" in slow
    assert "2030-01-02 to 2030-01-05. torch 9.9." in slow
    assert slow.index("### Decode") < slow.index("### Maps") < slow.index("### Steps")


def test_gather_results_from_files_and_from_an_empty_folder(script, report, tmp_path):
    results = script("results")
    with pytest.raises(SystemExit, match="holds no results"):
        results.gather_results(tmp_path, tmp_path / "page.md")
    (tmp_path / "decode.json").write_text(report("decode").model_dump_json())
    results.gather_results(tmp_path, tmp_path / "page.md")
    assert "| of decode |" in (tmp_path / "page.md").read_text()


def test_exponent_is_between_the_two_largest_sizes(script):
    curves = script("scaling_curves")
    curve = curves.ScalingCurve(
        name="step", size="images", sizes=(1, 10, 20), seconds=(5, 6, 24), megabytes=(300, 310, 2400)
    )
    assert curve.exponent == pytest.approx(2)  # twice the size, four times the time
    *_, first, _, last = curves.scaling_table([curve]).splitlines()
    assert [cell.strip() for cell in last.split("|")[1:-1]] == [
        *("step", "images: 20", "24", "1,200", "2,400", "size ^ 2.00"),
    ]
    assert first.split("|")[-2].strip() == ""


def test_curves_round_trip_through_json(script, report):
    rows, curves = script("results_table"), script("scaling_curves")
    curve = curves.ScalingCurve(name="a", size="b", sizes=(1, 2), seconds=(1, 2), megabytes=(3, 4))
    complete = report("scaling").model_copy(update={"curves": (curve,)})
    assert rows.BenchmarkReport.model_validate(json.loads(complete.model_dump_json())) == complete
    assert "| a " in complete.to_markdown()


def test_scaling_figure_is_deterministic(script, tmp_path):
    curves, figure = script("scaling_curves"), script("scaling")
    measured = [
        curves.ScalingCurve(
            name="step", size="images", sizes=(1, 2000), seconds=(0.012, 3), megabytes=(400, 2500)
        )
    ]
    for name in ("a.svg", "b.svg"):
        figure.draw_scaling_figure(measured, tmp_path / name)
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    for label in ("step", "images", "12 ms", "3 s", "400 MB", "2.5 GB", "2k"):
        assert f">{label}<" in text


def test_only_scripts_with_a_main_block_are_run(script, tmp_path):
    (tmp_path / "work.py").write_text('if __name__ == "__main__":\n    pass\n')
    (tmp_path / "part.py").write_text("x = 1\n")
    (tmp_path / "run.py").write_text('if __name__ == "__main__":\n    pass\n')
    (tmp_path / "baselines.py").write_text('if __name__ == "__main__":\n    pass\n')
    assert [path.name for path in script("run").find_scripts(tmp_path)] == ["work.py"]
    assert [path.name for path in script("run").find_scripts(tmp_path, full=True)] == [
        "baselines.py",
        "work.py",
    ]
