"""Which optional packages of the extra ``engines`` are here."""

from importlib.util import find_spec

from lesionlens.errors import EngineError


def missing(*packages: str) -> list[str]:
    """Give those of the packages that are not installed."""
    return [package for package in packages if find_spec(package) is None]


def need(*packages: str) -> None:
    """Refuse to go on without packages.

    Raises
    ------
    EngineError
        Says how to install them.
    """
    if absent := missing(*packages):
        raise EngineError(
            f"this needs {' and '.join(absent)}, not installed here: pip install 'lesionlens[engines]'"
        )
