"""The module's logic for its tests, on the real scene; see slicer_host for the rest."""

import pytest

from helpers.slicer_scene import MODULE, add_volume


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


@pytest.fixture
def head(slicer, parts):
    return add_volume(parts[0])


@pytest.fixture
def masked(slicer, head, parts):
    """A face segmentation with the true mask, as if a model had proposed it, so that the checks need not ask one."""
    from CTADefaceLib.slicer_module.scene import face_segment

    node = face_segment.new_face(head)
    face_segment.set_proposed_mask(node, parts[1], head)
    return node
