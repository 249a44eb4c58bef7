"""Every number and switch a shop may set, in one place.

Values come, later over earlier, from the defaults here, the shop's `aisle.toml`
and variables such as `AISLE_SEARCH__TOP_K`. Each field carries its unit and help
in its description; `docs/settings.md` is checked against them by a test.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from aisle.errors import SettingsError

_PREFIX = "AISLE_"
_OTHER_VARIABLES = frozenset({"AISLE_CACHE_DIR", "AISLE_DATA", "AISLE_LANGUAGE_KEY", "AISLE_TEST_KILLS"})
"""Where exported encoders are kept, where benchmarks find data, a key that stands in no file, how hard tests try: no
shop's settings."""

Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShopSettings(_Section):
    """Who the shop is."""

    name: str = Field("My shop", description="The name shown on the storefront.")
    currency: str = Field(
        "USD", min_length=3, max_length=3, description="Currency of prices that name none (ISO 4217)."
    )
    language: str = Field("en", pattern="^(en|zh)$", description="Language of the pages until the shopper picks one.")


class EncoderSettings(_Section):
    """The pretrained encoders of text, photos and sound."""

    model: str = Field(
        "all-MiniLM-L6-v2",
        description="all-MiniLM-L6-v2 (embedded), a folder (of Hugging Face's format, or made by "
        "`aisle compress`), or a Hugging Face model name already on this machine. Empty: lexical search only.",
    )
    tuned: bool = Field(True, description="Whether an encoder that was tuned on this shop may read its searches.")
    languages: tuple[str, ...] = Field(("en",), description="Languages the encoder reads; others search by words only.")
    max_tokens: int = Field(128, ge=8, le=8192, description="Tokens of a product text that are read.")
    batch_tokens: int = Field(4096, ge=64, description="Padded tokens in one batch while encoding the catalogue.")
    threads: int = Field(0, ge=0, description="Threads for encoding; 0: one a physical core.")
    image_model: str = Field(
        "",
        description="A vision, CLIP or SigLIP model of Hugging Face: a folder, or a name already on this machine. "
        "Empty: a small one is trained on the shop's own photos.",
    )
    audio_model: str = Field(
        "",
        description="A Hugging Face model that reads waveforms (Wav2Vec2, HuBERT, WavLM): a folder, or a name already "
        "on this machine, for products with an `audio_link`. Empty: sound is not listened to.",
    )


class SearchSettings(_Section):
    """How words and meaning become an answer. Chosen by benchmarks/blending.py."""

    top_k: int = Field(200, ge=10, le=2000, description="Lexical candidates that are ranked.")
    ranked: int = Field(
        200,
        ge=0,
        le=2000,
        description="Candidates, the best by words and meaning, that the learned ranking orders. 0: none.",
    )
    neighbours: int = Field(100, ge=0, le=2000, description="Nearest products by meaning that may join the hit set.")
    neighbour_cut: float = Field(0.5, ge=-1, le=1, description="Least cosine for a neighbour to join the hit set.")
    dense_weight: Share = Field(0.5, description="Weight of meaning against words in the blended score.")
    match_bonus: float = Field(
        0.2, ge=0, description="Added to the blended score of products that the words alone found."
    )
    category_weight: float = Field(
        0.5, ge=0, description="Weight of how near the query is to the name of a product's category."
    )
    reading_ms: float = Field(
        40.0,
        ge=0,
        description="Most milliseconds that a network may take to read the best 20 products together with the query, "
        "as measured when it is trained. 0: none does.",
    )
    boost: float = Field(0.15, ge=0, description="Added for each understood attribute that a product has.")
    encoder_timeout_ms: float = Field(
        1000.0,
        ge=0,
        description="Milliseconds a search waits for the encoder before words answer alone; 0: as long as it takes.",
    )
    cache_size: int = Field(2048, ge=0, description="Answers kept in memory; 0: none.")
    pagination_limit: int = Field(1000, ge=1, description="Hits that can be paged through.")


class RecommendSettings(_Section):
    """Recommendation surfaces."""

    trending_half_life_days: float = Field(7.0, gt=0, description="Days after which an event counts half in trending.")
    history_half_life_days: float = Field(14.0, gt=0, description="Days after which an event counts half in a taste.")
    history_length: int = Field(
        100, ge=1, le=10_000, description="Events of a shopper that are remembered for serving."
    )
    neighbour_steps: int = Field(
        1_000_000, ge=1000, description="Newest steps of all shoppers among whose sessions like ones are found."
    )
    session_gap_minutes: float = Field(30.0, gt=0, description="Minutes of silence that end a session without an id.")
    top_k: int = Field(300, ge=10, description="Candidates taken from each source.")
    in_stock_only: bool = Field(True, description="Recommend only what can be bought.")
    exploration: Share = Field(
        0.05,
        description="Probability with which each of the last third of a home page's places goes to a product that "
        "would not have been shown; the odds are logged with the slate. 0: never.",
    )


class LanguageSettings(_Section):
    """The language model that is asked by prompts; without one, nothing is."""

    endpoint: str = Field(
        "",
        description="Where a server speaks OpenAI's chat completions, such as http://localhost:8000/v1. "
        "Empty: `model` runs on this machine.",
    )
    model: str = Field(
        "",
        description="The model's name at the endpoint or, without one, a folder or a Hugging Face name already on this "
        "machine. Empty: no language model.",
    )
    key_variable: str = Field(
        "AISLE_LANGUAGE_KEY",
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable that holds the endpoint's key; the key itself stands in no file.",
    )
    timeout_s: float = Field(
        20.0, gt=0, le=3600, description="Seconds a call may take, with everything that is tried again."
    )
    max_tokens: int = Field(256, ge=1, le=100_000, description="Most tokens of an answer.")
    retries: int = Field(2, ge=0, le=10, description="Times a request is sent again after a fault that may pass.")
    rank_ms: float = Field(
        0.0,
        ge=0,
        description="Milliseconds a page waits for the model to order a shopper's best candidates by prompt; the order "
        "stays as it was where it is not in time. 0: it is not asked. Measure with benchmarks/prompting.py first.",
    )
    ranked: int = Field(20, ge=2, le=100, description="Candidates, the best by the learned order, that it orders.")


class TrainSettings(_Section):
    """What `aisle train` may take, and how it measures."""

    threads: int = Field(0, ge=0, description="Threads for training; 0: one a physical core.")
    max_minutes: float = Field(
        15.0, gt=0, description="Minutes that a training may take; each model gets its share, the quick ones first."
    )
    held_out: float = Field(
        0.1, gt=0, lt=0.5, description="Share of the sessions, the newest, that models are measured on."
    )
    max_cases: int = Field(4000, ge=20, description="Held-out steps of shoppers that are predicted to measure.")
    seed: int = Field(0, ge=0, description="Seed of all that is drawn while training: the same log, the same models.")
    tracker: Literal["", "wandb", "mlflow"] = Field(
        "", description="Where `aisle tune` also sends its curves: wandb or mlflow, if installed. Empty: nowhere else."
    )


class ServerSettings(_Section):
    """The HTTP edge."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0: any free one.")
    threads: int = Field(4, ge=1, le=256, description="Threads that answer searches and recommendations.")
    max_body_bytes: int = Field(4_000_000, ge=1024, description="Largest request body, in bytes.")
    max_batch: int = Field(1000, ge=1, description="Most events or products in one request.")
    max_hits_per_page: int = Field(200, ge=1, description="Most hits in one answer.")
    max_facets: int = Field(100, ge=1, description="Most fields whose values are counted in one answer.")
    max_query_chars: int = Field(512, ge=16, description="Characters of a query that are read; the rest is ignored.")
    rate_per_minute: int = Field(
        1_000_000, ge=0, description="Requests a minute that one key may make from one address; 0: no limit."
    )
    login_attempts_per_minute: int = Field(10, ge=1, description="Admin password attempts a minute from one address.")
    cors_origins: tuple[str, ...] = Field((), description="Origins whose pages may call the API.")
    session_hours: float = Field(12.0, gt=0, description="Hours that an admin login lasts.")
    open_metrics: bool = Field(True, description="Whether /metrics answers without an admin key.")


class StorageSettings(_Section):
    """Durability."""

    group_commit_ms: float = Field(
        0.0, ge=0, description="Milliseconds a commit waits for company; 0: takes what is queued."
    )
    snapshot_events: int = Field(50_000, ge=100, description="Events between snapshots of the shoppers' state.")
    poll_ms: int = Field(250, ge=10, description="Milliseconds between looks for changes made by other processes.")


class Settings(BaseSettings):
    """A shop's settings. Unknown names are errors, so a typing error never passes silently."""

    model_config = SettingsConfigDict(
        env_prefix="AISLE_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    shop: ShopSettings = ShopSettings()
    encoder: EncoderSettings = EncoderSettings()
    search: SearchSettings = SearchSettings()
    recommend: RecommendSettings = RecommendSettings()
    language: LanguageSettings = LanguageSettings()
    train: TrainSettings = TrainSettings()
    server: ServerSettings = ServerSettings()
    storage: StorageSettings = StorageSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file, which arrives as init values."""
        return env_settings, init_settings

    @classmethod
    def read(cls, file: Path) -> Settings:
        """The settings in `aisle.toml` (absent: the defaults) under AISLE_* variables.

        Raises SettingsError naming each wrong field.
        """
        values: dict[str, Any] = {}
        if file.exists():
            try:
                values = tomllib.loads(file.read_text("utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
                raise SettingsError(f"{file}: {error}") from error
        return cls.checked(values, str(file))

    @classmethod
    def checked(cls, values: dict[str, Any], source: str) -> Settings:
        """The settings of `values` under AISLE_* variables. Raises SettingsError naming each wrong one."""
        known = {f"{_PREFIX}{s}__{n}".upper() for s, f in cls.model_fields.items() for n in _fields_of(f.annotation)}
        for name in os.environ:
            if name.startswith(_PREFIX) and name not in known and name not in _OTHER_VARIABLES:
                near = get_close_matches(name, sorted(known), 1, 0.6)
                hint = f"; did you mean {near[0]}?" if near else ", see docs/settings.md"
                raise SettingsError(f"{name}: there is no such setting{hint}")
        try:
            return cls(**values)
        except ValidationError as error:
            faults = []
            for fault in error.errors(include_url=False):
                name = ".".join(str(part) for part in fault["loc"])
                told = "there is no such setting" if fault["type"] == "extra_forbidden" else fault["msg"]
                variable = f"{_PREFIX}{'__'.join(str(part) for part in fault['loc'])}".upper()
                faults.append(f"{variable if variable in os.environ else name}: {told}")
            raise SettingsError(f"{source}: {'; '.join(faults)}") from None


def _fields_of(section: Any) -> Iterable[str]:
    """The names of a section's settings."""
    return tuple(section.model_fields)
