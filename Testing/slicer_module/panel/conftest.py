"""The panel for its tests: real .ui, real Qt, real scene; see slicer_host for the rest."""

import pytest

from helpers.slicer_scene import MODULE, add_volume


@pytest.fixture
def slicer(host):
    import slicer

    host.reset()
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    return slicer


@pytest.fixture
def head(slicer, parts):
    return add_volume(parts[0])


@pytest.fixture
def panel(host, slicer, head):
    widget = host.open_widget(host.load_module(MODULE))
    yield widget
    host.close(widget)


@pytest.fixture
def masked(host, panel, head, parts):
    """The panel with a mask made by a model, as far as it knows (the true one, without waiting for the network)."""
    from CTADefaceLib.slicer_module.scene import face_segment

    node = face_segment.new_face(head)
    face_segment.set_proposed_mask(node, parts[1], head)
    panel.update()
    return node
