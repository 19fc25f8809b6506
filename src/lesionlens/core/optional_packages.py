"""Which optional packages of the extra ``engines`` are here."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from lesionlens.core.errors import BackendError


def missing_packages(*packages: str) -> list[str]:
    """Give those of the packages that are not installed."""
    return [package for package in packages if not _is_installed(package)]


def _is_installed(package: str) -> bool:
    """Look for it without importing it; a folder of that name, such as an export's, is no package."""
    found = find_spec(package)
    return found is not None and found.origin is not None


def require(*packages: str) -> None:
    """Refuse to go on without packages.

    Raises
    ------
    BackendError
        Says how to install them.
    """
    if absent := missing_packages(*packages):
        raise BackendError(
            f"this needs {' and '.join(absent)}, not installed here: pip install 'lesionlens[engines]'"
        )


def import_optional(package: str) -> Any:
    """Import a package.

    Raises
    ------
    BackendError
        It is not installed, or is broken.
    """
    require(package)
    try:
        return import_module(package)
    except (ImportError, OSError) as error:
        raise BackendError(f"{package} is installed, but cannot be imported: {error}") from error
