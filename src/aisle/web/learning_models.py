"""The shapes of what the shopkeeper sees of learning."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aisle.web.models import Answer


class CurvePart(Answer):
    """One number over a training; of many points those that keep its shape, peaks among them."""

    name: str = Field(description="What was measured; `held/` is on what was held out.", examples=["held/accuracy"])
    steps: list[int] = Field(description="Steps of the training, growing.")
    values: list[float] = Field(description="The value at each of them.")


class TrainingPart(Answer):
    """A training, under way or past."""

    name: str = Field(description="What it is for.", examples=["intent"])
    method: str = Field(description="How the model is adapted.", examples=["lora"])
    running: bool = Field(description="Whether it runs now.")
    changed_ms: int = Field(description="When it last wrote something (Unix, UTC).")
    n_steps: int = Field(ge=0, description="How far it came.")
    curves: list[CurvePart]


class TrainingsAnswer(Answer):
    trainings: list[TrainingPart] = Field(description="Those that run first, then the newest.")


class LabelBody(BaseModel):
    """What a text is."""

    model_config = ConfigDict(extra="forbid", strict=True)
    text: str = Field(description="The text, at most 1,000 characters.", examples=["where is my order"])
    label: str | None = Field(
        description="What it is, at most 100 characters; null takes back what was said.", examples=["order"]
    )


class LabelName(Answer):
    """A label that may be given."""

    name: str
    count: int = Field(ge=0, description="How many texts have it.")


class WhyPart(Answer):
    """Why a text is worth a label."""

    kind: Literal["asked", "uncategorised", "popular", "doubt", "alike", "unlike"]
    value: float = Field(
        ge=0, description="For `asked` how often; for `doubt` how sure the model is of the first name; for `alike` the "
        "share of the waiting texts that say much the same; else 0.",
    )  # fmt: skip
    names: list[str] = Field(description="For `doubt` the two labels that the model thinks of, the likelier first.")


class WaitingPart(Answer):
    text: str
    reasons: list[WhyPart]


class LabelsAnswer(Answer):
    """The labels given for a task so far, and what waits for one."""

    task: str
    n_labels: int = Field(ge=0, description="Texts that have a label.")
    names: list[LabelName] = Field(description="The most given first, then what else there is to choose from.")
    n_waiting: int = Field(ge=0, description="Texts that wait for a label.")
    queue: list[WaitingPart] = Field(description="The first of them, the one most worth a label first.")


class LabelledAnswer(Answer):
    """What was kept."""

    task: str
    n_labels: int = Field(ge=0, description="Texts that have a label now.")
