"""The sentence that an experiment's page begins with: no more than its runs can carry."""

from lesionlens.experiments.catalogue import PAPERS
from lesionlens.experiments.verdict import TableOutcome


def summary_sentence(outcome: TableOutcome) -> str:
    """Sum up: how many published numbers lie in the measured intervals, and how many claimed orderings hold.

    Of synthetic images or of less than the paper's protocol, no published number is counted.
    """
    cells = outcome.results.cells
    finished = sum(cell.state == "finished" for cell in cells)
    if not finished:
        return "Nothing has been measured yet."
    first = _published_sentence(outcome) if outcome.is_comparable_to_paper else _caveat_sentence(outcome)
    so_far = "" if finished == len(cells) else f"So far {finished} of {len(cells)} runs are finished."
    return " ".join(filter(None, [first, _claims_sentence(outcome), so_far]))


def _caveat_sentence(outcome: TableOutcome) -> str:
    what = "synthetic images" if outcome.synthetic else "photographs"
    changed = " by a changed protocol" if outcome.results.protocol_overrides else ""
    how = changed if outcome.results.profile == "paper" else " with a small network or a small budget"
    alone = "real lesions" if outcome.synthetic else "networks trained in full"
    of = "the published numbers" if _has_published(outcome) else alone
    if outcome.results.profile == "smoke":
        return f"A few steps of a tiny network on {what}: no number here means anything."
    return f"Measured on {what}{how}: it says nothing about {of}."


def _has_published(outcome: TableOutcome) -> bool:
    return any(each.published for each in outcome.cells)


def _published_sentence(outcome: TableOutcome) -> str:
    held = [each.published_in_interval for each in outcome.cells if each.published_in_interval is not None]
    if not held:
        return "No published number has a measured interval." if _has_published(outcome) else ""
    lie = "lies" if sum(held) == 1 else "lie"
    return f"{sum(held)} of {len(held)} published numbers {lie} in the 95 % interval of what was measured."


def _claims_sentence(outcome: TableOutcome) -> str:
    words = [each.verdict for each in outcome.claims]
    if not words or outcome.results.profile == "smoke":  # a few steps order nothing
        return ""
    there = "" if outcome.is_comparable_to_paper else "On these runs, "
    tested = sum(bool(each.test) for each in outcome.claims)
    against = words.count("opposite, and shown")
    holds = words.count("holds")
    if not tested:
        return "No ordering could be tested."
    kind = "claimed" if outcome.results.spec.paper in PAPERS else "expected"
    verb = "holds" if holds == 1 else "hold"
    text = f"{there}{holds} of {len(words)} {kind} orderings {verb} ({tested} could be tested)"
    return (
        f"{text}; {against} {'is' if against == 1 else 'are'} shown the other way round."
        if against
        else f"{text}."
    )
