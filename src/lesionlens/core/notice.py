"""The research-use notice that every output carries."""

import csv
import json
from pathlib import Path
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from lesionlens.core.fileio import atomic_write, write_text
from lesionlens.datasets.audit.audit import Audit
from lesionlens.datasets.audit.audit import DuplicateFinding, ImageRef
from lesionlens.datasets.audit.audit import Finding
from lesionlens.datasets.issues import pluralize


RESEARCH_USE_NOTICE = "Research use only, not a medical device."
