"""What only the authors of a model can state: the file ``card.yaml``."""

from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lesionlens.core.errors import RunError, unknown_name_message

STATEMENTS_FILE = "card.yaml"


def _join_list(value: Any) -> Any:
    """Join a list of texts, and replace an empty text by None."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "; ".join(value)
    return (value.strip() or None) if isinstance(value, str) else value


def _statement(description: str, section: str) -> Any:
    return Field(default=None, description=description, json_schema_extra={"section": section})


Statement = Annotated[str | None, BeforeValidator(_join_list)]

LIMITS, USE, DATA, STUDY = "Limits", "Intended use", "Data", "Study"
ETHICS, ABOUT = "Ethics and funding", "About"
STATEMENT_SECTIONS = (LIMITS, USE, DATA, STUDY, ETHICS, ABOUT)


class AuthorStatements(BaseModel):
    """Statements of the authors, each a text or a list of texts; None where nothing is stated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    intended_use: Statement = _statement("purpose of the model, and its role in research or care", USE)
    intended_users: Statement = _statement("who may use it, and which expertise they need", USE)
    target_population: Statement = _statement("patients and lesions for which it was made", USE)
    out_of_scope_use: Statement = _statement("images and uses for which it was not made", USE)
    input_quality: Statement = _statement("what to do with poor or missing images", USE)
    known_limits: Statement = _statement("limits that the authors know", LIMITS)
    potential_impact: Statement = _statement("effects on patients and on those who care for them", USE)
    data_sources: Statement = _statement("where the images come from, and whom they represent", DATA)
    setting: Statement = _statement("kind, number and location of the centers", DATA)
    data_dates: Statement = _statement("period in which the images were taken", DATA)
    eligibility: Statement = _statement("criteria of inclusion and exclusion", DATA)
    patient_characteristics: Statement = _statement("age, sex, site and other characteristics", DATA)
    skin_tone: Statement = _statement("skin tones, and how they were assessed", DATA)
    image_acquisition: Statement = _statement("devices, vendors and settings", DATA)
    image_artifacts: Statement = _statement("hair, ink, rulers and other artifacts", DATA)
    treatments: Statement = _statement("treatments before the images were taken", DATA)
    reference_standard: Statement = _statement("how the label of an image was obtained, and why so", DATA)
    histopathology: Statement = _statement("which lesions were confirmed by histopathology", DATA)
    label_definitions: Statement = _statement("definitions of the classes, with references", DATA)
    annotators: Statement = _statement("who labeled the images, with which qualification", DATA)
    annotation_variability: Statement = _statement("agreement within and between annotators", DATA)
    blinding: Statement = _statement("what the annotators did not know", DATA)
    missing_data: Statement = _statement("treatment of missing data", DATA)
    deidentification: Statement = _statement("how images were de-identified", DATA)
    data_biases: Statement = _statement("biases that the data may cause", DATA)
    data_differences: Statement = _statement("differences between training and test data", DATA)
    abstract: Statement = _statement("structured abstract", STUDY)
    background: Statement = _statement("clinical context, and existing models", STUDY)
    objectives: Statement = _statement("aims and hypotheses", STUDY)
    study_design: Statement = _statement("prospective or retrospective", STUDY)
    sample_size: Statement = _statement("reasons for the number of images", STUDY)
    external_test: Statement = _statement("results on images of another source", STUDY)
    comparison: Statement = _statement("comparison with other models or with readers", STUDY)
    heterogeneity: Statement = _statement("differences between centers or devices", STUDY)
    robustness: Statement = _statement("results on degraded or changed images", STUDY)
    failure_analysis: Statement = _statement("what incorrect results have in common", STUDY)
    fairness: Statement = _statement("approach to fairness", STUDY)
    model_updating: Statement = _statement("updates of the model after its evaluation", STUDY)
    interpretation: Statement = _statement("meaning of the results", STUDY)
    next_steps: Statement = _statement("research that remains", STUDY)
    ethical_approval: Statement = _statement("ethics committee, and consent", ETHICS)
    health_inequalities: Statement = _statement("known inequalities between groups", ETHICS)
    patient_involvement: Statement = _statement("involvement of patients and the public", ETHICS)
    registration: Statement = _statement("registry and number", ETHICS)
    protocol: Statement = _statement("where the protocol is", ETHICS)
    funding: Statement = _statement("sources of funding, and their role", ETHICS)
    conflicts_of_interest: Statement = _statement("conflicts of interest", ETHICS)
    authors: Statement = _statement("names of the authors", ABOUT)
    contact: Statement = _statement("address for questions", ABOUT)
    license: Statement = _statement("license of the model, as a name of Hugging Face: apache-2.0", ABOUT)
    availability: Statement = _statement("where code, model and data are", ABOUT)
    citation: Statement = _statement("how to cite the model", ABOUT)

    def stated(self, key: str) -> str | None:
        """Return the text of a key; None if nothing is stated."""
        text: str | None = getattr(self, key)
        return text


def statement_keys(section: str) -> dict[str, str]:
    """Return the keys of a section of the card, with their descriptions."""
    fields = AuthorStatements.model_fields.items()
    return {
        name: str(field.description)
        for name, field in fields
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra["section"] == section
    }


class _TextLoader(yaml.BaseLoader):
    """Loader that reads all scalars as text, and rejects a key that occurs twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"the key {key} occurs twice")
        return super().construct_mapping(node, deep=deep)


def read_statements(path: Path) -> AuthorStatements:
    """Read ``card.yaml``.

    Raises
    ------
    RunError
        The file cannot be read, is not a YAML mapping, or has an unknown key or a value that is not a text.
    """
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _TextLoader)  # noqa: S506 - texts only, no objects
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RunError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    if tree in (None, ""):
        return AuthorStatements()
    if not isinstance(tree, dict):
        raise RunError(f"{path} must be a YAML mapping of keys to texts, such as `contact: us@example.org`")
    for key in tree:
        if key not in AuthorStatements.model_fields:
            raise RunError(f"{path}: {unknown_name_message('key', str(key), AuthorStatements.model_fields)}")
    try:
        return AuthorStatements.model_validate(tree)
    except ValidationError as error:
        key = error.errors()[0]["loc"][0]
        raise RunError(f"{path}: {key} must be a text, or a list of texts") from error
