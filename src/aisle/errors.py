"""Every error aisle raises on purpose, in one tree.

    AisleError                    anything below
    ├── SettingsError             aisle.toml or an AISLE_* variable is wrong
    ├── ShopError                 the shop's folder cannot be used
    │   ├── ShopNotFound          there is no shop there
    │   └── ShopBusy              another process holds what this one needs
    ├── IntakeError               a whole file cannot be read (nothing was changed)
    ├── InvalidRequest            the caller's argument is wrong; `field` names it
    │   ├── InvalidFilter         a filter does not parse, or names an unknown field
    │   ├── InvalidEvent          an event lacks something or contradicts itself
    │   └── InvalidProduct        a product lacks something or contradicts itself
    ├── NotFound                  no such item, slate, key or version
    ├── Unauthorised              no key, or a wrong one
    ├── Forbidden                 the key lacks the scope
    ├── TooLarge                  a request's body is over the limit
    ├── TooManyRequests           over the rate limit; `retry_after_s` says when to come back
    ├── StorageError              the disk is full, the database is locked or damaged
    └── ModelError                a model cannot be loaded, exported or trained
        ├── EncoderMissing        no encoder of that name on this machine
        ├── ModelDamaged          a model's file is missing, truncated or altered
        ├── TrainingFailed        a model came out useless (not finite); nothing of it was saved
        └── LanguageFailed        a language model gave no answer that can be used
            ├── LanguageUnreachable   nobody answers, or only faults; `retry_after_s` says when to come back
            ├── LanguageLate          no answer within the time it had
            ├── LanguageRefused       the request is refused: a wrong key, model or length; asking again is no use
            └── LanguageNonsense      it answered, but nothing that was asked for

Messages say what was wrong, where, and what to do about it.
"""

from __future__ import annotations


class AisleError(Exception):
    """Base of every error aisle raises on purpose."""

    status = 500
    """The HTTP status the API answers with."""


class SettingsError(AisleError):
    """A setting has a wrong name, type or value."""


class ShopError(AisleError):
    """The shop's folder cannot be used."""


class ShopNotFound(ShopError):
    """There is no shop in that folder."""

    status = 404


class ShopBusy(ShopError):
    """Another process holds a lock that this operation needs."""

    status = 409


class IntakeError(AisleError):
    """A file cannot be read at all; nothing was changed."""

    status = 422


class InvalidRequest(AisleError):
    """An argument is wrong; `field` names it."""

    status = 400

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class InvalidFilter(InvalidRequest):
    """A filter does not parse, or names a field that no product has."""


class InvalidEvent(InvalidRequest):
    """An event lacks something it needs, or contradicts itself."""

    status = 422


class InvalidProduct(InvalidRequest):
    """A product lacks something it needs, or contradicts itself."""

    status = 422


class NotFound(AisleError):
    """There is no such item, slate, key or version."""

    status = 404


class Unauthorised(AisleError):
    """No key was given, or it is not one of this shop's."""

    status = 401


class Forbidden(AisleError):
    """The key is this shop's, but lacks the scope."""

    status = 403


class TooLarge(AisleError):
    """A request's body is over the limit."""

    status = 413


class TooManyRequests(AisleError):
    """Over a rate limit; `retry_after_s` seconds later there is room again."""

    status = 429

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StorageError(AisleError):
    """The database or the disk cannot take or give what was asked."""

    status = 503


class ModelError(AisleError):
    """A model cannot be loaded, exported or trained."""

    status = 503


class EncoderMissing(ModelError):
    """No encoder of that name is on this machine."""


class ModelDamaged(ModelError):
    """A model's file is missing, truncated, or does not match its checksum."""


class TrainingFailed(ModelError):
    """Fitting a model gave numbers that are not finite; nothing of it was saved."""


class LanguageFailed(ModelError):
    """A language model gave no answer that can be used."""


class LanguageUnreachable(LanguageFailed):
    """Nobody answers there, or only with faults; `retry_after_s` seconds later it may be tried again."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LanguageLate(LanguageFailed):
    """No answer came within the time it had."""


class LanguageRefused(LanguageFailed):
    """The request itself is refused: a wrong key, a wrong model, too long a prompt."""


class LanguageNonsense(LanguageFailed):
    """It answered, but not what was asked for."""
