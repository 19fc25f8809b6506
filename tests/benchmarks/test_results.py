"""Pages of results, growth, and which files are scripts."""

import json

import pytest


@pytest.fixture
def report(script):
    rows, machine = script("rows"), script("machine")

    def make(name, processor="Slow", day="2030-01-02", **options):
        found = machine.Machine(
            processor=processor, cores=2, avx512=True, amx=False, memory_gib=24.2, accelerator="", load=0.5
        )
        row = rows.row(f"of {name}", {"naive": [3.0], "ours": [1.0], "limit": [0.8]}, **options)
        return rows.Report(
            script=name,
            title=name.title(),
            date=f"{day}T03:04",
            machine=found,
            versions={"torch": "9.9"},
            rows=(row,),
        )

    return make


def test_the_page_has_a_section_for_each_machine_and_counts_what_was_met(script, report):
    found = [
        report("steps", demand=2),
        report("decode", day="2030-01-05", demand=4),
        report("maps"),
        report("decode", processor="Fast", demand=3),
    ]
    fast, slow = script("results").page(found).split("## Slow")
    assert "## Fast, 2 cores, AVX-512, 24 GiB" in fast
    assert "Demands met: 1 of 1.\n" in fast
    assert "Demands met: 1 of 2. Out of reach, as even the limit is below what is demanded: 1.\n" in slow
    assert "| out of reach |" in slow
    assert "2030-01-02 to 2030-01-05. torch 9.9." in slow
    assert slow.index("### Decode") < slow.index("### Maps") < slow.index("### Steps")


def test_results_are_gathered_from_files_and_an_empty_folder_says_so(script, report, tmp_path):
    results = script("results")
    with pytest.raises(SystemExit, match="holds no results"):
        results.gather(tmp_path, tmp_path / "page.md")
    (tmp_path / "decode.json").write_text(report("decode").model_dump_json())
    results.gather(tmp_path, tmp_path / "page.md")
    assert "| of decode |" in (tmp_path / "page.md").read_text()


def test_growth_is_the_power_between_the_largest_sizes(script):
    curves = script("curves")
    curve = curves.Curve(
        name="step", size="images", sizes=(1, 10, 20), seconds=(5, 6, 24), megabytes=(300, 310, 2400)
    )
    assert curve.power == pytest.approx(2)  # twice the size, four times the time
    *_, first, _, last = curves.curves_markdown([curve]).splitlines()
    assert [cell.strip() for cell in last.split("|")[1:-1]] == [
        *("step", "images: 20", "24", "1,200", "2,400", "size ^ 2.00"),
    ]
    assert first.split("|")[-2].strip() == ""


def test_curves_survive_their_json(script, report):
    rows, curves = script("rows"), script("curves")
    curve = curves.Curve(name="a", size="b", sizes=(1, 2), seconds=(1, 2), megabytes=(3, 4))
    whole = report("growth").model_copy(update={"curves": (curve,)})
    assert rows.Report.model_validate(json.loads(whole.model_dump_json())) == whole
    assert "| a " in whole.tables()


def test_the_growth_figure_is_the_same_file_for_the_same_curves(script, tmp_path):
    curves, figure = script("curves"), script("growth_figure")
    found = [
        curves.Curve(name="step", size="images", sizes=(1, 2000), seconds=(0.012, 3), megabytes=(400, 2500))
    ]
    for name in ("a.svg", "b.svg"):
        figure.draw(found, tmp_path / name)
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    for label in ("step", "images", "12 ms", "3 s", "400 MB", "2.5 GB", "2k"):
        assert f">{label}<" in text


def test_only_what_has_a_main_part_is_run(script, tmp_path):
    (tmp_path / "work.py").write_text('if __name__ == "__main__":\n    pass\n')
    (tmp_path / "part.py").write_text("x = 1\n")
    (tmp_path / "run.py").write_text('if __name__ == "__main__":\n    pass\n')
    (tmp_path / "peers.py").write_text('if __name__ == "__main__":\n    pass\n')
    assert [each.name for each in script("run").scripts(tmp_path)] == ["work.py"]
    assert [each.name for each in script("run").scripts(tmp_path, long=True)] == ["peers.py", "work.py"]
