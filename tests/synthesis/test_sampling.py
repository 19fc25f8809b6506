"""Sampling without pixels: metadata constraints, artifact rates, class frequencies."""

from collections import Counter

import pytest

from lesionlens.core.errors import DataError
from lesionlens.synthesis.artifacts import ArtifactRates
from lesionlens.synthesis.sampling import LesionPlan, sample_dataset


@pytest.fixture(scope="module")
def plans() -> list[LesionPlan]:
    rates = ArtifactRates(ruler=0.1, by_class={"ruler": {"mel": 0.9}, "color_patch": {"nv": 0.5, "mel": 0.0}})
    return sample_dataset(1500, seed=1, artifacts=rates)


def artifacts_of_class(plans: list[LesionPlan], code: str) -> list[tuple[str, ...]]:
    return [
        capture.artifacts for plan in plans if plan.lesion.criteria.code == code for capture in plan.captures
    ]


@pytest.mark.parametrize(
    ("artifact", "code", "rate"),
    [("ruler", "mel", 0.9), ("ruler", "nv", 0.1), ("color_patch", "nv", 0.5), ("color_patch", "mel", 0.0)],
)
def test_artifact_rates_by_class(plans: list[LesionPlan], artifact: str, code: str, rate: float) -> None:
    present = [artifact in names for names in artifacts_of_class(plans, code)]
    assert sum(present) / len(present) == pytest.approx(rate, abs=0.08)


def test_confirmation_methods_are_those_of_ham10000(plans: list[LesionPlan]) -> None:
    methods: dict[str, set[str]] = {}
    for plan in plans:
        methods.setdefault(plan.lesion.criteria.code, set()).add(plan.patient.confirmation)
    assert methods["mel"] == methods["bcc"] == methods["akiec"] == {"histo"}
    assert [code for code, names in methods.items() if "confocal" in names] == ["bkl"]
    assert [code for code, names in methods.items() if "follow_up" in names] == ["nv"]


def test_ages_are_plausible_and_few_are_unknown(plans: list[LesionPlan]) -> None:
    ages = [plan.patient.age for plan in plans]
    assert 0 < ages.count("") < 0.03 * len(ages)
    assert all(float(age) % 5 == 0 and 0 < float(age) <= 85 for age in ages if age)
    mean = {
        code: sum(ages_of_class) / len(ages_of_class)
        for code in ("nv", "bcc")
        for ages_of_class in [
            [float(e.patient.age) for e in plans if e.lesion.criteria.code == code and e.patient.age]
        ]
    }
    assert mean["nv"] + 10 < mean["bcc"]


def test_class_frequencies_match_the_weights() -> None:
    counts = Counter(e.lesion.criteria.code for e in sample_dataset(400, class_weights={"mel": 1, "nv": 3}))
    assert set(counts) == {"mel", "nv"}
    assert counts["nv"] / counts["mel"] == pytest.approx(3, rel=0.15)


def test_difficulty_makes_classes_similar() -> None:
    def lacunae_fraction(difficulty: float, code: str) -> float:
        lesions = sample_dataset(120, difficulty=difficulty, class_weights={code: 1})
        return sum("red_lacunae" in plan.lesion.criteria.structures for plan in lesions) / len(lesions)

    assert lacunae_fraction(0.0, "vasc") > 0.85
    assert lacunae_fraction(0.0, "nv") == 0
    assert abs(lacunae_fraction(1.0, "vasc") - lacunae_fraction(1.0, "nv")) < 0.2


@pytest.mark.parametrize(
    "rates", [{"hair": 1.2}, {"by_class": {"hare": {"mel": 0.5}}}, {"by_class": {"hair": {"mole": 0.5}}}]
)
def test_invalid_rates_raise(rates: dict) -> None:
    with pytest.raises(DataError):
        ArtifactRates(**rates)
