"""The sentence that an experiment's page begins with: no more than its runs can carry."""

from lesionlens.experiments.catalogue import PAPERS
from lesionlens.experiments.verdict import Verdict


def headline(found: Verdict) -> str:
    """Sum up: how many published numbers lie in the measured intervals, and how many claimed orderings hold.

    Of synthetic images or of less than the paper's protocol, no published number is counted.
    """
    cells = found.results.cells
    finished = sum(cell.state == "finished" for cell in cells)
    if not finished:
        return "Nothing has been measured yet."
    first = _numbers(found) if found.comparable else _caveat(found)
    so_far = "" if finished == len(cells) else f"So far {finished} of {len(cells)} runs are finished."
    return " ".join(filter(None, [first, _claims(found), so_far]))


def _caveat(found: Verdict) -> str:
    what = "synthetic images" if found.synthetic else "photographs"
    changed = " by a changed protocol" if found.results.changed else ""
    how = changed if found.results.profile == "paper" else " with a small network or a small budget"
    alone = "real lesions" if found.synthetic else "networks trained in full"
    of = "the published numbers" if _published(found) else alone
    if found.results.profile == "smoke":
        return f"A few steps of a tiny network on {what}: no number here means anything."
    return f"Measured on {what}{how}: it says nothing about {of}."


def _published(found: Verdict) -> bool:
    return any(each.published for each in found.numbers)


def _numbers(found: Verdict) -> str:
    held = [each.inside for each in found.numbers if each.inside is not None]
    if not held:
        return "No published number has a measured interval." if _published(found) else ""
    lie = "lies" if sum(held) == 1 else "lie"
    return f"{sum(held)} of {len(held)} published numbers {lie} in the 95 % interval of what was measured."


def _claims(found: Verdict) -> str:
    words = [each.word for each in found.orderings]
    if not words or found.results.profile == "smoke":  # a few steps order nothing
        return ""
    there = "" if found.comparable else "On these runs, "
    tested = sum(bool(each.test) for each in found.orderings)
    against = words.count("opposite, and shown")
    holds = words.count("holds")
    if not tested:
        return "No ordering could be tested."
    kind = "claimed" if found.results.experiment.paper in PAPERS else "expected"
    verb = "holds" if holds == 1 else "hold"
    text = f"{there}{holds} of {len(words)} {kind} orderings {verb} ({tested} could be tested)"
    return (
        f"{text}; {against} {'is' if against == 1 else 'are'} shown the other way round."
        if against
        else f"{text}."
    )
