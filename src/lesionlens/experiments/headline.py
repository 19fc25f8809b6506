"""The sentence that an experiment's page begins with: no more than its runs can carry."""

from lesionlens.experiments.verdict import Verdict


def headline(found: Verdict) -> str:
    """Sum up: how many published numbers lie in the measured intervals, and how many claimed orderings hold.

    Of synthetic images or of less than the paper's protocol, no published number is counted.
    """
    finished = sum(cell.state == "finished" for cell in found.results.cells)
    if not finished:
        return "Nothing has been measured yet."
    claims = _claims(found)
    if found.comparable:
        return f"{_numbers(found)} {claims}".strip()
    return f"{_caveat(found)} {claims}".strip()


def _caveat(found: Verdict) -> str:
    what = "synthetic images" if found.synthetic else "photographs"
    how = "" if found.results.profile == "paper" else " with a small network or a small budget"
    of = "the published numbers" if _published(found) else "real lesions"
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
    if not words:
        return ""
    there = "" if found.comparable else "On these runs, "
    tested = sum(bool(each.test) for each in found.orderings)
    against = words.count("opposite, and shown")
    holds = words.count("holds")
    kind = "expected" if found.results.experiment.paper == "open" else "claimed"
    verb = "holds" if holds == 1 else "hold"
    text = f"{there}{holds} of {len(words)} {kind} orderings {verb} ({tested} could be tested)"
    return (
        f"{text}; {against} {'is' if against == 1 else 'are'} shown the other way round."
        if against
        else f"{text}."
    )
