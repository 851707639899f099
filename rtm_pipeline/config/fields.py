"""Small field types that the schema's models share."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.units import Duration, Length

__all__ = ["DurationText", "LengthText", "RelativePath", "Slug", "Strict", "Text", "TextList"]


class Strict(BaseModel):
    """Base of all parts of a configuration: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        str_strip_whitespace=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    shorthand: ClassVar[tuple[dict[str, Any], ...]] = ()
    """JSON schemas of the short ways to write this part, which editors must not mark as wrong."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The model's own JSON schema, beside its short forms where it has some."""
        full = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [*cls.shorthand, full]} if cls.shorthand else full


def _length(text: str) -> str:
    try:
        Length.parse(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text


def _duration(text: str) -> str:
    try:
        Duration.parse(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text


def _relative(text: str) -> str:
    parts = text.replace("\\", "/").split("/")
    if text.startswith(("/", "~")) or ".." in parts or (len(text) > 1 and text[1] == ":") or "\0" in text:
        raise ValueError("a path must be relative to the data folder and may not contain '..'")
    return text


def _as_text(value: Any) -> Any:
    """Codes are text even where YAML sees a number: 9500 -> "9500"."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _with_unit(example: str) -> BeforeValidator:
    """Refuses a bare number with words that a person can follow: 250 of what?"""

    def check(value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(f"a number needs its unit, as in {example}")
        return value

    return BeforeValidator(check, json_schema_input_type=str)


Plain = str | int | float
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
Text = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=Plain)]
TextList = Annotated[tuple[Text, ...], BeforeValidator(_as_list, json_schema_input_type=Plain | list[Plain])]
LengthText = Annotated[str, AfterValidator(_length), _with_unit("'250 ft', '100 m' or '3 blocks'")]
DurationText = Annotated[str, AfterValidator(_duration), _with_unit("'1y' or '90d'")]
RelativePath = Annotated[str, AfterValidator(_relative)]
