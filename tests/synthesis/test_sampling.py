"""What is drawn without pixels: metadata constraints, artifact rates, class shares."""

from collections import Counter

import pytest

from lesionlens.core.errors import DataError
from lesionlens.synthesis.artifacts import ArtifactRates
from lesionlens.synthesis.sampling import LesionPlan, sample_dataset


@pytest.fixture(scope="module")
def plans() -> list[LesionPlan]:
    rates = ArtifactRates(ruler=0.1, by_class={"ruler": {"mel": 0.9}, "color_patch": {"nv": 0.5, "mel": 0.0}})
    return sample_dataset(1500, seed=1, artifacts=rates)


def shots(plans: list[LesionPlan], code: str) -> list[tuple[str, ...]]:
    return [
        shot.artifacts for entry in plans if entry.lesion.criteria.code == code for shot in entry.captures
    ]


@pytest.mark.parametrize(
    ("artifact", "code", "rate"),
    [("ruler", "mel", 0.9), ("ruler", "nv", 0.1), ("color_patch", "nv", 0.5), ("color_patch", "mel", 0.0)],
)
def test_a_planted_correlation_is_honoured(
    plans: list[LesionPlan], artifact: str, code: str, rate: float
) -> None:
    present = [artifact in names for names in shots(plans, code)]
    assert sum(present) / len(present) == pytest.approx(rate, abs=0.08)


def test_confirmation_keeps_to_the_official_constraints(plans: list[LesionPlan]) -> None:
    ways: dict[str, set[str]] = {}
    for entry in plans:
        ways.setdefault(entry.lesion.criteria.code, set()).add(entry.patient.confirmation)
    assert ways["mel"] == ways["bcc"] == ways["akiec"] == {"histo"}
    assert [code for code, names in ways.items() if "confocal" in names] == ["bkl"]
    assert [code for code, names in ways.items() if "follow_up" in names] == ["nv"]


def test_ages_are_plausible_and_a_few_unknown(plans: list[LesionPlan]) -> None:
    ages = [entry.patient.age for entry in plans]
    assert 0 < ages.count("") < 0.03 * len(ages)
    assert all(float(age) % 5 == 0 and 0 < float(age) <= 85 for age in ages if age)
    mean = {
        code: sum(known) / len(known)
        for code in ("nv", "bcc")
        for known in [
            [float(e.patient.age) for e in plans if e.lesion.criteria.code == code and e.patient.age]
        ]
    }
    assert mean["nv"] + 10 < mean["bcc"]


def test_class_weights_are_kept() -> None:
    counts = Counter(e.lesion.criteria.code for e in sample_dataset(400, class_weights={"mel": 1, "nv": 3}))
    assert set(counts) == {"mel", "nv"}
    assert counts["nv"] / counts["mel"] == pytest.approx(3, rel=0.15)


def test_distinct_lesions_show_their_class_and_alike_ones_do_not() -> None:
    def share(difficulty: float, code: str) -> float:
        drawn = sample_dataset(120, difficulty=difficulty, class_weights={code: 1})
        return sum("red_lacunae" in entry.lesion.criteria.structures for entry in drawn) / len(drawn)

    assert share(0.0, "vasc") > 0.85
    assert share(0.0, "nv") == 0
    assert abs(share(1.0, "vasc") - share(1.0, "nv")) < 0.2


@pytest.mark.parametrize(
    "wrong", [{"hair": 1.2}, {"by_class": {"hare": {"mel": 0.5}}}, {"by_class": {"hair": {"mole": 0.5}}}]
)
def test_rates_that_cannot_be_are_refused(wrong: dict) -> None:
    with pytest.raises(DataError):
        ArtifactRates(**wrong)
