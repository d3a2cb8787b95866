"""How a network is run, as one value that is handed on whole."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class ModelRun:
    """``model`` a model's name or folder (None: the bundled one); ``device`` 'cpu', 'cuda', 'mps' or 'auto';
    ``mirroring`` test-time mirroring; ``step_size`` of the sliding window in patches, above 0 and at most 1.
    """

    model: str | None = None
    device: str = "cpu"
    mirroring: bool = False
    step_size: float = 0.5

    def of_locator(self) -> ModelRun:
        """The same device with the defaults of the bundled coarse model."""
        return ModelRun(device=self.device)


def checked_step_size(value: float, called: str = "step_size") -> float:
    """``value`` as ``ModelRun.step_size``. Raises: InputError, which names it as it was ``called``, for one that cannot be."""
    if not 0 < value <= 1:
        raise InputError(f"{called} {value}: must be above 0 and at most 1.")
    return value
