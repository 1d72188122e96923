"""Every error Tercet raises on purpose, in one tree.

::

    TercetError
    ├── StoreError            the place where memories are kept
    │   ├── InvalidInput      a value that cannot be stored or asked for
    │   │   └── InvalidScope  a scope that is malformed, missing, or outside the handle
    │   ├── LimitExceeded     larger than a documented limit
    │   ├── NoteNotFound      no such note in this scope (also: in somebody else's)
    │   ├── ChangeNotFound    no such change in this scope
    │   ├── CannotUndo        the change is there, but undoing it would not be true
    │   ├── KeyReused         an idempotency key was used before with other content
    │   ├── FormMismatch      a form was made by another embedder or model
    │   ├── NewerStore        written by a later version of Tercet
    │   ├── StoreBusy         another process held the writer's lock too long
    │   └── StoreDamaged      a file of the store is not what it should be
    ├── EngineError           what runs a model
    │   ├── UnsupportedModel  the injection gate refused the model
    │   ├── ExtractionError   facts could not be extracted
    │   └── EndpointError     a model server answered wrongly, or not at all
    └── AdapterError          doors
        └── MissingExtra      an optional dependency is not installed

A message says what happened, with which value, and how to mend it.
"""

__all__ = [
    "AdapterError",
    "CannotUndo",
    "ChangeNotFound",
    "EndpointError",
    "EngineError",
    "ExtractionError",
    "FormMismatch",
    "InvalidInput",
    "InvalidScope",
    "KeyReused",
    "LimitExceeded",
    "MissingExtra",
    "NewerStore",
    "NoteNotFound",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "TercetError",
    "UnsupportedModel",
]


class TercetError(Exception):
    """Base of every error that Tercet raises on purpose."""


class StoreError(TercetError):
    """The store could not do what was asked."""


class InvalidInput(StoreError, ValueError):
    """A value that cannot be stored or asked for; nothing was changed."""


class InvalidScope(InvalidInput):
    """A scope that is malformed, missing, or outside the handle's own."""


class LimitExceeded(StoreError, ValueError):
    """The value is larger than a documented limit; nothing was changed."""


class NoteNotFound(StoreError, LookupError):
    """No note with this id in this scope; notes of other scopes look the same as missing ones."""


class ChangeNotFound(StoreError, LookupError):
    """No change with this number in this scope."""


class CannotUndo(StoreError):
    """The change exists, but it cannot be undone (a forget, or something newer stands on it)."""


class KeyReused(StoreError):
    """An idempotency key came back with different content."""


class FormMismatch(StoreError):
    """A form of this store was made by another embedder or model than the one given."""


class NewerStore(StoreError):
    """The store was written by a later version of Tercet; it was not touched."""


class StoreBusy(StoreError):
    """Another process held the writer's lock longer than the time-out."""


class StoreDamaged(StoreError):
    """A file of the store is missing, malformed, or fails its checksum."""


class EngineError(TercetError):
    """A model, or what runs it, could not do what was asked."""


class UnsupportedModel(EngineError):
    """The injection gate refused this model; the message says why."""


class ExtractionError(EngineError):
    """Facts could not be extracted from a text."""


class EndpointError(EngineError):
    """A model server could not be reached, refused, or answered malformed."""


class AdapterError(TercetError):
    """A door (command line, proxy, …) could not do what was asked."""


class MissingExtra(AdapterError, ImportError):
    """An optional dependency is missing; the message names the pip command that brings it."""
