"""Paths without the machine's folders, so that runs have the same names everywhere."""

from pathlib import Path


def machine_independent(source: str, out: Path) -> str:
    """Return a data source without the machine's folders: relative to the reproduction, or only its kind or name."""
    kind, colon, path = source.rpartition(":")
    full_path = Path(path).expanduser()
    if full_path.absolute().is_relative_to(out.absolute()):
        return f"{kind}{colon}{full_path.absolute().relative_to(out.absolute()).as_posix()}"
    return f"{kind}{colon}" if colon else full_path.name
