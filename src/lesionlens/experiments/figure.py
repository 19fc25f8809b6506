"""What a figure shows, as data."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lesionlens.training.section import Section

Kind = Literal["roc", "gates", "maps", "crops", "sweep", "inputs"]


class Panel(Section):
    """One line of pictures or one curve: which run's, and what of it.

    Attributes
    ----------
    row, part
        Of the experiment.
    map
        What is drawn, as `explain` calls it: ``cam``, ``gradcam``, or a map of the network's own such as
        ``gate pool4``, ``soft`` or ``layer3``.
    target
        The class that a gradient map or CAM explains; "": the largest score.
    title
        What stands beside it; "": the row's name.
    """

    row: str
    part: str = ""
    map: str = ""
    target: str = ""
    title: str = ""


class Figure(Section):
    """A figure.

    Attributes
    ----------
    kind
        ``roc``: curves of the panels' rows; ``gates``: scale gates over the epochs and the maps of their blocks;
        ``maps``: images over one line of maps for each panel; ``crops``: frames of crops by weight; ``sweep``: a
        column over the rows' ``x``, a line for each group; ``inputs``: images before and after what is done to them.
    caption
        What is to be seen.
    panels
        Lines of it.
    of
        The class of a ROC curve; the column of a sweep.
    gates
        Of the figure of gates: column of the log -> its title.
    images
        How test images are chosen: ``classes`` (one of each class in turn), ``sizes`` (small lesions, then large
        ones; where masks tell) or ``artefacts`` (with hair, bubbles and so on; where they are known).
    count
        How many images.
    x
        What a sweep's horizontal axis is called.
    """

    kind: Kind
    caption: Annotated[str, AfterValidator(lambda text: text if text.endswith(".") else f"{text}.")]
    panels: tuple[Panel, ...] = ()
    of: str = ""
    gates: dict[str, str] = Field(default_factory=dict)
    images: Literal["classes", "sizes", "artefacts"] = "classes"
    count: int = Field(default=8, ge=1)
    x: str = ""
