"""The module's logic for its tests, on the real scene; see slicer_host for the rest."""

import numpy as np
import pytest
from slicer_scene import MODULE, add_volume

TURNED = np.array([[-1.0, 0, 0, 12], [0, 1, 0, 5], [0, 0, -1, 40], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def module(host):
    host.load_module(MODULE)
    import CTADeface

    yield CTADeface
    from CTADefaceLib.slicer_module.shared_worker import stop_worker

    stop_worker()


@pytest.fixture
def slicer(host):
    import slicer

    slicer.mrmlScene.Clear(0)
    return slicer


@pytest.fixture
def logic(module, slicer):
    return module.CTADefaceLogic()


def add_transform(slicer, matrix):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node


def face_by_hand(slicer, volume, mask):
    from CTADefaceLib.slicer_module.scene import face_segment

    node = face_segment.new_face(volume)
    face_segment.set_mask(node, mask, volume)
    return node


@pytest.fixture
def head(slicer, parts):
    return add_volume(parts[0])


@pytest.fixture
def masked(slicer, head, parts):
    return face_by_hand(slicer, head, parts[1])
