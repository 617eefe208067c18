"""Why a use case could not go on."""

from datetime import datetime
from uuid import UUID

from services.user.domain.errors import FieldError


class DocumentRefusedError(Exception):
    """The document breaks field rules: all that were found."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__(f"{len(errors)} fields refused")
        self.errors = errors


class PersonNotFoundError(Exception):
    """No such person, or deleted or erased, where a living one is asked for."""

    def __init__(self, person_id: UUID) -> None:
        super().__init__(f"no person {person_id}")
        self.person_id = person_id


class PersonErasedError(Exception):
    """The person was erased; what is asked for went with their key."""

    def __init__(self, person_id: UUID) -> None:
        super().__init__(f"person {person_id} was erased")
        self.person_id = person_id


class TakenError(Exception):
    """Another living person bears the e-mail address or the external id."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(f"{' and '.join(fields)} taken")
        self.fields = fields


class VersionMismatchError(Exception):
    """The client saw another version than the present one."""

    def __init__(self, person_id: UUID, version: int) -> None:
        super().__init__(f"person {person_id} is at version {version}")
        self.version = version


class RetentionOverError(Exception):
    """The person was deleted too long ago to be restored."""

    def __init__(self, deleted_at: datetime) -> None:
        super().__init__(f"deleted at {deleted_at.isoformat()}")
        self.deleted_at = deleted_at


class KeyReusedError(Exception):
    """The idempotency key stands for another request."""
