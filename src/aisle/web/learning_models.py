"""The shapes of what the shopkeeper sees of learning."""

from __future__ import annotations

from pydantic import Field

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
