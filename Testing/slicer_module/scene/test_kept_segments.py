"""Segments of the scene that are kept: never filled, checked, recorded, saved with the scene."""

import json

import numpy as np
import pytest

from helpers.slicer_scene import add_ball, add_segments, add_volume, save_and_load


@pytest.fixture
def structures(parts):
    """{name: bool (k, j, i)}: from behind the face's mask into its rear, and its whole skin on one side."""
    thick = np.unravel_index(parts[1].sum(1).argmax(), parts[1].shape[::2])
    rear = parts[1][thick[0], :, thick[1]].argmax()
    found = {name: np.zeros(parts[0].shape, bool) for name in ("Orbit", "Skin")}
    found["Orbit"][thick[0] - 1 : thick[0] + 2, rear - 4 : rear + 2, thick[1] - 1 : thick[1] + 2] = True
    found["Skin"][thick[0] - 6 : thick[0] + 6, :, thick[1] - 6 : thick[1] + 6] = True
    return found


def voxels(slicer, node):
    return slicer.util.arrayFromVolume(node)


@pytest.mark.parametrize("fill", ["levelled", "air"])
def test_segments_are_not_filled_in_preview_fill_and_checks(slicer, logic, head, masked, parts, structures, fill):
    node = add_segments(slicer, head, structures)
    without = logic.defacedArray(head, masked, fill)
    output = logic.applyFill(head, masked, fill=fill, keep=[(node, "Orbit")])
    keep, filled = structures["Orbit"], voxels(slicer, output)
    assert np.array_equal(filled[keep], parts[0][keep]) and np.array_equal(filled[~keep], without[~keep])
    assert not np.array_equal(filled, without)
    # What was kept before goes on being kept.
    assert np.array_equal(logic.defacedArray(head, masked, fill), filled)
    assert np.array_equal(voxels(slicer, logic.applyFill(head, masked, fill=fill)), filled)
    checks = {check.name: check for check in logic.runChecks(head, masked, fill)}
    assert checks["kept"].verdict in ("pass", "warn") and checks["kept"].text.startswith("Orbit: ")
    assert logic.keptSegments(masked) == [(node, "Orbit")]
    logic.applyFill(head, masked, fill=fill, keep=[])
    assert np.array_equal(voxels(slicer, output), without) and logic.keptSegments(masked) == []
    assert "kept" not in {check.name for check in logic.runChecks(head, masked, fill)}


def test_a_whole_segmentation_is_kept_and_skin_stops_the_export(slicer, logic, head, masked, structures, tmp_path):
    from CTADefaceLib.errors import ChecksFailed

    node = add_segments(slicer, head, structures)
    output = logic.applyFill(head, masked, keep=[node])
    with pytest.raises(ChecksFailed) as caught:
        logic.exportVolume(output, tmp_path / "out" / "a.nrrd")
    assert [check.name for check in caught.value.checks] == ["kept"] and "because of Skin" in caught.value.checks[0].text
    path = logic.exportVolume(output, tmp_path / "out" / "a.nrrd", overrides={"kept": "target volume"})
    record = json.loads(path.read_text())
    assert [one["name"] for one in record["kept"]["structures"]] == ["Orbit", "Skin"] and record["kept"]["spared_ml"] > 10


def test_a_segment_beside_the_face_in_one_node_is_kept_and_the_face_itself_is_not(slicer, logic, head, masked, structures):
    from CTADefaceLib.errors import MaskError

    masked.GetSegmentation().AddEmptySegment("o", "Orbit")
    slicer.util.updateSegmentBinaryLabelmapFromArray(structures["Orbit"].astype(np.uint8), masked, "o", head)
    logic.keepSegments(masked, [masked])
    assert logic.keptSegments(masked) == [(masked, "o")]
    logic.keepSegments(masked, [(masked, "Face")])
    with pytest.raises(MaskError, match=r"Face: .* more than half of the face mask of Head"):
        logic.applyFill(head, masked)


def test_structures_on_another_grid_and_surfaces_are_brought_to_the_volumes(slicer, logic, head, masked, parts, structures):

    coarse = np.diag([6.0, 6.0, 6.0, 1.0])
    coarse[:3, 3] = 1.5
    other = add_volume(np.zeros([n // 2 for n in parts[0].shape], np.int16), "Coarse", coarse)
    mask = structures["Orbit"][::2, ::2, ::2]
    node = add_segments(slicer, other, {"Node": mask})
    filled = voxels(slicer, logic.applyFill(head, masked, keep=[(node, "Node")]))
    keep = np.kron(mask, np.ones((2, 2, 2), bool))[:, :, : parts[0].shape[2]]
    assert mask.any() and np.array_equal(filled[keep], parts[0][keep])
    # As structures of an RTSTRUCT that was loaded as surfaces.
    k, j, i = np.argwhere(structures["Orbit"]).mean(0) * 3
    surfaces = add_ball(slicer, (k, j, i), "Surfaces")
    filled = voxels(slicer, logic.applyFill(head, masked, keep=[(surfaces, "GTV")]))
    place = np.stack(np.indices(parts[0].shape), -1) * 3.0
    inner = np.linalg.norm(place - (k, j, i), axis=-1) < 6
    assert (inner & parts[1]).any() and np.array_equal(filled[inner], parts[0][inner])


def test_what_is_gone_empty_or_elsewhere_is_refused_and_nothing_is_filled_in_its_place(
    slicer, logic, head, masked, structures, tmp_path
):
    from CTADefaceLib.errors import MaskError

    node = add_segments(slicer, head, structures | {"Empty": np.zeros_like(structures["Orbit"])})
    with pytest.raises(MaskError, match="has no segment Nerve"):
        logic.applyFill(head, masked, keep=[(node, "Nerve")])
    with pytest.raises(MaskError, match="has no segments"):
        logic.applyFill(head, masked, keep=[add_segments(slicer, head, {}, "Nothing")])
    with pytest.raises(MaskError, match="Empty: what is to be kept is empty"):
        logic.applyFill(head, masked, keep=[(node, "Empty")])
    output = logic.applyFill(head, masked, keep=[(node, "Orbit")])
    node.GetSegmentation().RemoveSegment("Orbit")
    with pytest.raises(MaskError, match="has left the scene"):
        logic.exportVolume(output, tmp_path / "out" / "a.nrrd")
    slicer.mrmlScene.RemoveNode(node)
    with pytest.raises(MaskError, match="has left the scene"):
        logic.applyFill(head, masked)
    logic.applyFill(head, masked, keep=[])


def test_a_scene_that_is_saved_and_loaded_keeps_what_is_kept(slicer, logic, head, masked, structures, tmp_path):
    logic.keepSegments(masked, [(add_segments(slicer, head, structures), "Orbit")])
    save_and_load(slicer, slicer.util.getNodesByClass("vtkMRMLSegmentationNode") + [head], tmp_path)
    from CTADefaceLib.slicer_module.scene import face_segment

    volume = slicer.util.getNode("Head")
    ((node, segment),) = logic.keptSegments(face_segment.find_face(volume))
    assert node.GetName() == "Structures" and node.GetSegmentation().GetSegment(segment).GetName() == "Orbit"
