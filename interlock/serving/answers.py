"""What clients get for a prediction, as OpenAPI describes it; `interlock/serving/prediction.py` makes it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1.000001, description="0 to 1, computed with 32 bits.")]
Label = bool | int | float | str
Confidence = Annotated[
    Probability | None, Field(description="The probability of the class that is answered; null where there is none.")
]


class By(BaseModel):
    """Who answered."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="The model's registered name.")
    alias: str = Field(description="The alias that was asked.")
    version: int = Field(ge=1, description="The version that computed this very answer.")
    request_id: str = Field(description="The `x-request-id` that was sent, or a new one.")


class Columns(By):
    """The answer for rows: one entry of each list a row."""

    prediction: list[Label] | list[list[Label]] = Field(
        description="The label of each row's class; the value of a regression, or one for each target; or the labels."
    )
    confidence: list[Confidence]
    ids: list[str | int] | None = Field(default=None, description="The ids that were sent.")
    probabilities: list[list[Probability]] | None = Field(default=None, description="Of every class, if asked for.")
    scores: list[list[float]] | None = Field(
        default=None, description="In place of probabilities, of a model that has none."
    )


class Record(By):
    """The answer for one record."""

    customer_id: str | int
    predict: Label | list[Label] | dict[str, float] = Field(
        description="The class; the value of a regression, or one for each target by its name; or the classes."
    )
    confidence: Confidence
