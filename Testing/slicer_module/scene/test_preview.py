"""The preview as Slicer draws it: its own displayable managers, offscreen, on the public head."""

import numpy as np
import pytest

from helpers.slicer_scene import MODULE, add_scan

SIZE = 200


@pytest.fixture(scope="module")
def head(cranium):
    from CTADefaceLib.files.read import read_volume

    return read_volume(cranium)


@pytest.fixture(scope="module")
def previews(host, head):
    """(logic, volume node, picture) with the true worker and model."""
    host.reset()
    host.load_module(MODULE)
    import slicer

    import CTADeface
    from slicer_host.rendering import picture

    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    node = add_scan(head)
    logic = CTADeface.CTADefaceLogic()
    logic.segmentFace(node)
    view = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode()

    def show(state):
        logic.showPreview(node, state=state, fill="air")
        return picture(view, SIZE).astype(int)

    yield logic, node, show
    logic.hidePreview()
    from CTADefaceLib.slicer_module.shared_worker import stop_worker

    stop_worker()


def plain(hu, head, focus=None):
    """The same picture by plain VTK, as the shell's before/after picture is made."""
    from CTADefaceLib.rendering.camera import FRONTAL, tissue_focus
    from CTADefaceLib.rendering.offscreen import render_views

    focus = tissue_focus(head.to_hu(head.stored), head.geometry.affine())
    return render_views(hu, head.geometry.affine(), [FRONTAL], SIZE, focus)[0].astype(int)


def likeness(one, other):
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def test_original_and_defaced_look_as_the_shells_pictures(head, previews):
    logic, node, show = previews
    hu = head.to_hu(head.stored)
    original, defaced = show("original"), show("defaced")
    wanted = plain(hu, head), plain(np.where(logic.faceMask(node), -1000, hu), head)
    assert likeness(original, wanted[0]) > 0.95 and likeness(defaced, wanted[1]) > 0.95
    # Each is closer to its own than to the other one: the face is there, and then it is not.
    assert likeness(original, wanted[0]) > likeness(original, wanted[1]) + 0.02
    assert likeness(defaced, wanted[1]) > likeness(defaced, wanted[0]) + 0.02


def test_original_is_drawn_again_after_the_defaced_one(previews):
    _, _, show = previews
    first, _, again = show("original"), show("defaced"), show("original")
    assert np.abs(first - again).mean() < 0.5
