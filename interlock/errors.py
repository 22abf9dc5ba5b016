"""
Every error of a delivery, and what to do about it.

    DeliveryError
    |- Refused                a rule said no, or something is not as needed; asking again changes nothing -> stop
    |  |- InvalidName         a name, alias or version that is not allowed
    |  |- NotFound            what was asked for does not exist
    |  |- Busy                another writer holds the model's lock
    |  |- StaleEpoch          somebody decided since this release looked
    |  |- ContractChanged     it takes or gives something else than what is live
    |  |- DigestRefused       these bytes failed before and nobody forced them
    |  |- UnknownSetting      a variable with our prefix that no settings know
    |  |- NotInstalled        a module that an extra brings
    |  |- NotHere             there is no environment where it is looked for, or it is somebody else's
    |  |- NotReady            an engine does not have what it was told to load (it was restarted)
    |  |- TooSlow             right answers, but over the latency budget; nothing is remembered
    |  |- Garbled             an answer that our servers do not give: a proxy's page, another program
    |  |- InvalidRows         rows that a model does not take
    |  |- InvalidTraining     data or parameters that cannot be trained on
    |  |- NotConvertible      no ONNX can be made of the model; the message names the step and what to do instead
    |  |  `- ParityFailed     one was made, and it does not say what the model says
    |  |- OutOfTime           the release held the lock for as long as it may
    |  |- Stopped             an operator's rollback asked the release to stop
    |  |- AlreadyLive         what a rollback was asked for serves already
    |  |- LastEngine          without it nobody would serve an alias, and nobody forced it
    |  |- CorruptRecord       a record on disk does not parse or its checksum is off
    |  |- Damaged             the model repository holds other bytes than the record says
    |  |- Unreadable          a file cannot be read: of the model repository, or of rows that are to be predicted
    |  |- NoLocks             the disk of the model repository does not keep a second writer out
    |  `- Unwritable          a folder cannot be written
    |- Unreachable            nobody answered; the only error that is retried          -> retry
    |- Broken                 the candidate's very bytes are wrong: its digest is refused from then on -> roll back
    |  |- SmokeFailed         golden rows came back with other answers
    |  |- TrialFailed         the trial could not open it, or it crashed, or it needs more than it may
    |  `- DigestMismatch      the registry's bytes are not what their digest says
    |- NotFollowed            a replica answers and does not serve what is decided     -> roll back, remember nothing
    `- RecoveryFailed         the way back could not be judged or made; the decision and the journal stay
"""


class DeliveryError(Exception):
    """
    A delivery did not end as asked; the message names what serves now.

    Args:
        serves: What serves now, as a person reads it; said once, by whoever knows it first.
        way_back: What was done to undo the release, if anything was.
        way_out: How the caller may have it all the same, in the caller's own words, such as an option of a command.
    """

    serves: str | None = None
    way_back: str | None = None
    way_out: str | None = None

    @classmethod
    def of(cls, error: Exception) -> "DeliveryError":
        """Return *error* itself if it is a DeliveryError, else one that it is the cause of."""
        if isinstance(error, DeliveryError):
            return error
        made = cls(f"{type(error).__name__}: {error}")
        made.__cause__ = error
        return made

    @property
    def what(self) -> str:
        """What went wrong, and the way out; without what serves now."""
        return super().__str__() if self.way_out is None else f"{super().__str__()}; {self.way_out}"

    @property
    def now(self) -> str | None:
        """What serves now, and how it came to that; None where nobody said it."""
        if self.serves is None or self.way_back is None:
            return self.serves
        return f"{self.serves} ({self.way_back})"

    def __str__(self) -> str:
        return self.what if self.now is None else f"{self.what} | {self.now}"


class Refused(DeliveryError):
    """A rule said no; asking again changes nothing."""


class InvalidName(Refused):
    """A name, alias or version that is not allowed."""


class NotFound(Refused):
    """What was asked for does not exist."""


class Busy(Refused):
    """Another writer holds the model's lock."""


class StaleEpoch(Refused):
    """Somebody decided since this release looked."""


class ContractChanged(Refused):
    """It takes or gives something else than what is live."""


class NotHere(Refused):
    """There is no environment where it is looked for, or it is somebody else's; the message names the way out."""


class DigestRefused(Refused):
    """These bytes failed before and nobody forced them."""


class UnknownSetting(Refused):
    """A variable with our prefix that no settings know; the message names the nearest one."""


class NotInstalled(Refused):
    """A module is missing that an extra brings; the message names the extra and the command."""


class NotReady(Refused):
    """An engine does not have what it was told to load."""


class TooSlow(Refused):
    """Right answers, but over the latency budget; nothing is remembered of it."""


class Garbled(Refused):
    """An answer arrived that our servers do not give: a proxy's page, or another program's."""


class InvalidRows(Refused):
    """Rows that a model does not take; the message names row and column, never the value."""


class Unreadable(Refused):
    """A file cannot be read: of the model repository, or of rows (cut short, damaged, changed meanwhile)."""


class InvalidTraining(Refused):
    """Data or parameters that cannot be trained on."""


class NotConvertible(Refused):
    """No ONNX that says the same can be made of the model; the message names the step, why, and what to do instead."""


class ParityFailed(NotConvertible):
    """An ONNX was made, and it does not say what the model says."""


class OutOfTime(Refused):
    """The release held the lock for as long as it may."""


class Stopped(Refused):
    """An operator's rollback asked the release to stop."""


class AlreadyLive(Refused):
    """What a rollback was asked for serves already."""


class LastEngine(Refused):
    """Without this engine nobody would serve an alias."""


class CorruptRecord(Refused):
    """A record on disk does not parse or its checksum is off."""


class Damaged(Refused):
    """The model repository holds other bytes than the record says."""


class Unwritable(Refused):
    """A folder cannot be written: the model repository, or the one of batches."""


class NoLocks(Refused):
    """The disk of the model repository does not keep a second writer out."""


class Unreachable(DeliveryError):
    """Nobody answered; the only error that is retried."""


class Broken(DeliveryError):
    """The candidate's very bytes are wrong; their digest is refused from then on."""


class SmokeFailed(Broken):
    """Golden rows came back with other answers."""


class TrialFailed(Broken):
    """The trial could not open the candidate, or it crashed, or it needs more than it may."""


class DigestMismatch(Broken):
    """The registry's bytes are not what their digest says."""


class NotFollowed(DeliveryError):
    """A replica answers and does not serve what is decided."""


class RecoveryFailed(DeliveryError):
    """The way back could not be judged or made; the decision and the journal stay as they are."""
