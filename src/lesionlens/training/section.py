"""What every section of a recipe is."""

from pydantic import BaseModel, ConfigDict


class ConfigSection(BaseModel):
    """Frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")
