"""What stands for a patient in released headers: the same in every run with the same key, and another one with another key."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .patient import Patient
from .secret_key import SecretKey

# Crockford's base 32: no letter that looks like a number.
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PREFIX, LENGTH = "CTA-", 10
MOST_DAYS = 3650


@dataclass(frozen=True)
class Pseudonym:
    """A ``patient``'s other name, by a ``key``; ``shifts_dates``: dates are moved and not removed."""

    patient: Patient
    key: SecretKey
    shifts_dates: bool = False

    @cached_property
    def text(self) -> str:
        """As ``CTA-7F3K2M9QX4``: fits as ID (LO) and as name (PN). Raises: as ``SecretKey.text``."""
        number = int.from_bytes(self.key.digest("pseudonym", *self.patient.identity))
        return PREFIX + "".join(LETTERS[number >> 5 * place & 31] for place in range(LENGTH))

    @cached_property
    def days(self) -> int | None:
        """By how many days, 1 to ``MOST_DAYS``, dates are moved into the past; None where they are removed."""
        if not self.shifts_dates:
            return None
        return 1 + int.from_bytes(self.key.digest("days", *self.patient.identity)) % MOST_DAYS
