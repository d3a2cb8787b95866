"""What the panel remembers in the scene."""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from ...filling.fill import FILLS
from ...voxels.hu import AIR_HU

NUMBER = "number"


@parameterNodeWrapper
class FaceParameters:
    """
    inputVolume - The CT volume to deface.
    model - Name of the model; empty for the bundled one.
    device - Where the network runs.
    ears - The mask also holds both ears.
    fill - What replaces the face; "number" takes fillNumber.
    fillNumber - In HU.
    followEdits - Update the preview of the defaced volume after each edit.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    model: str = ""
    device: Annotated[str, Choice(["cpu", "cuda", "mps", "auto"])] = "cpu"
    ears: bool = False
    fill: Annotated[str, Choice([*FILLS, NUMBER])] = FILLS[0]
    fillNumber: Annotated[float, WithinRange(-1024, 3071)] = AIR_HU
    followEdits: bool = True


def chosen_fill(parameters):
    """The fill as ``applyFill`` takes it: a name, or HU as a number."""
    return parameters.fillNumber if parameters.fill == NUMBER else parameters.fill
