"""Packages that may be missing."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from lesionlens.core.errors import BackendError


def missing_packages(*packages: str) -> list[str]:
    """Return the packages that are not installed."""
    return [package for package in packages if not _is_installed(package)]


def _is_installed(package: str) -> bool:
    """Return whether a package can be found, without importing it; a mere folder of that name does not count."""
    try:
        spec = find_spec(package)
    except ImportError:
        return False
    return spec is not None and spec.origin is not None


def require(*packages: str) -> None:
    """Raise an error unless the packages are installed.

    Raises
    ------
    BackendError
        A package is missing; the message states how to install it.
    """
    if absent := missing_packages(*packages):
        raise BackendError(
            f"this requires {' and '.join(absent)}, not installed here. In the folder of the source code, run: "
            "pip install '.[engines]'"
        )


def import_optional(package: str) -> Any:
    """Import and return a package.

    Raises
    ------
    BackendError
        The package is not installed, or its import fails.
    """
    require(package)
    try:
        return import_module(package)
    except (ImportError, OSError) as error:
        raise BackendError(f"{package} is installed but cannot be imported: {error}") from error
