"""Reading ``card.yaml``: unknown keys, other values and damaged files are rejected."""

from pathlib import Path

import pytest

from lesionlens.core.errors import RunError
from lesionlens.report.author_statements import (
    STATEMENT_SECTIONS,
    AuthorStatements,
    read_statements,
    statement_keys,
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("fundng: none", "did you mean 'funding'"),
        ("diagnosis: yes", "unknown key 'diagnosis'"),
        ("funding: none\nfunding: some", "the key funding occurs twice"),
        ("funding: {a: b}", "funding must be a text, or a list of texts"),
        ("funding: [[a], b]", "funding must be a text, or a list of texts"),
        ("- funding", "must be a YAML mapping"),
        ("funding: [", "cannot read"),
        ("funding: !!python/object/apply:os.system [[ls]]", "must be a text, or a list"),
    ],
)
def test_rejected(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(text)
    with pytest.raises(RunError, match=reason):
        read_statements(path)


def test_bytes_and_missing_files_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot read"):
        read_statements(tmp_path / "card.yaml")
    (tmp_path / "card.yaml").write_bytes(b"funding: \xff")
    with pytest.raises(RunError, match="cannot read"):
        read_statements(tmp_path / "card.yaml")


def test_values_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(
        "data_dates: 2016-01-01\nsample_size: 1e3\nfunding: no\nsetting: [a, b]\nabstract: '  '\n"
    )
    statements = read_statements(path)
    assert statements == AuthorStatements(
        data_dates="2016-01-01", sample_size="1e3", funding="no", setting="a; b"
    )
    assert statements.stated("abstract") is None
    path.write_text("# nothing\n")
    assert read_statements(path) == AuthorStatements()


def test_every_key_is_in_one_section() -> None:
    keys = [key for section in STATEMENT_SECTIONS for key in statement_keys(section)]
    assert sorted(keys) == sorted(AuthorStatements.model_fields)
