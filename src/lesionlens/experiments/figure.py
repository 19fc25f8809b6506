"""What a figure shows, as data."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lesionlens.training.section import ConfigSection

FigureKind = Literal["roc", "gates", "maps", "crops", "sweep", "inputs"]


class PanelSpec(ConfigSection):
    """One line of pictures or one curve: which run's, and what of it.

    Attributes
    ----------
    row, variant
        Of the experiment.
    map
        What is drawn, as `explain` calls it: ``cam``, ``gradcam``, or a map of the network's own such as
        ``gate pool4``, ``soft`` or ``layer3``.
    target_class
        The class that a gradient map or CAM explains; "": the largest score.
    title
        What stands beside it; "": the row's name.
    """

    row: str
    variant: str = ""
    map: str = ""
    target_class: str = ""
    title: str = ""


class FigureSpec(ConfigSection):
    """A figure.

    Attributes
    ----------
    kind
        ``roc``: curves of the panels' rows; ``attention_scales``: scale gates over the epochs and the maps of their blocks;
        ``maps``: images over one line of maps for each panel; ``crops``: frames of crops by weight; ``sweep``: a
        column over the rows' ``x_label``, a line for each group; ``inputs``: images before and after what is done to them.
    caption
        What is to be seen.
    panels
        Lines of it.
    target
        The class of a ROC curve; the column of a sweep.
    attention_scales
        Of the figure of gates: column of the log -> its title.
    image_selection
        How test images are chosen: ``classes`` (one of each class in turn), ``sizes`` (small lesions, then large
        ones; where masks tell) or ``artefacts`` (with hair, bubbles and so on; where they are known).
    count
        How many images.
    x_label
        What a sweep's horizontal axis is called.
    """

    kind: FigureKind
    caption: Annotated[str, AfterValidator(lambda text: text if text.endswith(".") else f"{text}.")]
    panels: tuple[PanelSpec, ...] = ()
    target: str = ""
    attention_scales: dict[str, str] = Field(default_factory=dict)
    image_selection: Literal["classes", "sizes", "artefacts"] = "classes"
    count: int = Field(default=8, ge=1)
    x_label: str = ""
