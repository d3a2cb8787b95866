"""The module's logic on the real MRML scene: segment, correct, fill, transforms; the real worker and model."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers import phantom
from helpers.paths import TESTING
from helpers.slicer_scene import MODULE, TURNED, add_transform, add_volume, face_by_hand, save_and_load


def test_segmenting_gives_the_engines_mask_as_a_face_segment(logic, slicer, head, parts):
    from CTADefaceLib import Geometry, segment_face
    from CTADefaceLib.slicer_module.scene import face_segment

    before, jobs = slicer.util.arrayFromVolume(head).copy(), []
    node = logic.segmentFace(head, progress=jobs.append)
    wanted = segment_face((parts[0], Geometry.from_affine(np.diag([phantom.SPACING_MM] * 3 + [1.0]))))[0] != 0
    assert np.array_equal(logic.faceMask(head), wanted) and wanted.any()
    assert jobs and np.array_equal(before, slicer.util.arrayFromVolume(head))
    segment = node.GetSegmentation().GetSegment("Face")
    assert segment.GetName() == "Face"
    import vtk

    tag = vtk.reference("")
    assert segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), tag) and "SCT^89545001^Face" in str(tag)
    # Slicer looks the colour and the name up in this list, which has the face.
    assert str(tag).startswith("Segmentation category and type - DICOM master list~")
    assert face_segment.reference_volume(node) is head and face_segment.find_face(head) is node
    assert 0 < node.GetDisplayNode().GetOpacity2DFill() < 1 and node.GetDisplayNode().GetVisibility3D()
    assert node.GetAttribute("CTADeface.model") == "head-3mm" and len(node.GetAttribute("CTADeface.model_sha256")) == 64
    assert not logic.isEdited(head)


def test_mask_lies_beside_the_volume_in_the_subject_hierarchy(slicer, head, masked):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Somebody")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(head), patient)
    from CTADefaceLib.slicer_module.scene import face_segment

    node = face_segment.new_face(head)
    face_segment.set_mask(node, slicer.util.arrayFromVolume(head) > 500, head)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == patient


def test_models_proposal_is_kept_out_of_sight(slicer, head, masked, parts):
    from CTADefaceLib.slicer_module.scene import face_segment

    face_segment.set_proposed_mask(masked, parts[1], head)
    proposal = masked.GetNodeReference(face_segment.PROPOSAL)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert proposal.GetHideFromEditors() and not proposal.GetDisplayVisibility()
    # Slicer complains of a segmentation without an item; its tree leaves out what is hidden from editors.
    assert hierarchy.GetItemByDataNode(masked) and hierarchy.GetItemByDataNode(proposal)


@pytest.mark.parametrize("slicer_510", [True, False])
def test_sample_is_offered_at_startup(host, module, monkeypatch, slicer_510):
    import SampleData

    if slicer_510:
        monkeypatch.delattr(SampleData.SampleDataLogic, "registerCustomSampleDataCategory")
    host.samples.clear()
    host.startup()
    kinds = [kind for kind, _arguments, _how in host.samples]
    assert kinds == (["source"] if slicer_510 else ["category", "source"])
    how = host.samples[-1][2]
    assert how["category"] == "CTADeface" and Path(how["thumbnailFileName"]).is_file()
    assert how["uris"].endswith(how["checksums"].removeprefix("SHA256:"))


def test_logic_works_without_a_main_window():
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import slicer_host, numpy as np; from helpers import phantom\n"
        "host = slicer_host.start(main_window=False); host.load_module(sys.argv[3]); import slicer, CTADeface\n"
        "heavy = ('torch', 'nnunetv2', 'scipy', 'pydicom', 'pynetdicom')\n"
        "print('heavy at the start', [m for m in heavy if m in sys.modules])\n"
        "hu, face = phantom.head_parts()[0], phantom.middle_face()\n"
        "node = slicer.mrmlScene.AddNewNodeByClass('vtkMRMLScalarVolumeNode', 'Head')\n"
        "slicer.util.updateVolumeFromArray(node, hu); node.SetSpacing(3, 3, 3)\n"
        "output = CTADeface.CTADefaceLogic().deface(node, fill='air')\n"
        "changed = slicer.util.arrayFromVolume(output) != hu\n"
        "print('changed face', (changed & face).sum() / face.sum() > 0.5); host.quit()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(MODULE.parent), str(TESTING), str(MODULE)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "changed face True" in result.stdout, result.stderr[-2000:]
    # Slicer waits for all modules when it starts.
    assert "heavy at the start []" in result.stdout


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint16])
def test_mask_comes_back_bit_by_bit(slicer, logic, dtype, parts):
    matrix = np.array([[-0.6, 0.1, 0, 30], [0.1, 0.6, 0, -200], [0, 0, 1.5, 7], [0, 0, 0, 1]])
    volume = add_volume((parts[0] + 1024).astype(dtype), matrix=matrix)
    mask = np.random.default_rng(2).random(parts[0].shape) > 0.7
    node = face_by_hand(slicer, volume, mask)
    assert np.array_equal(logic.faceMask(volume, node), mask)


def test_quick_actions_change_the_mask_and_restore_brings_it_back(slicer, logic, head, parts):
    from CTADefaceLib.slicer_module.scene import face_segment

    node = face_segment.new_face(head)
    face_segment.set_proposed_mask(node, parts[1], head)
    assert not logic.isEdited(head, node)
    logic.growMask(head, node, 3.0)
    grown = logic.faceMask(head, node)
    assert logic.isEdited(head, node) and (grown & parts[1]).sum() == parts[1].sum() < grown.sum()
    logic.excludeBone(head, node)
    assert not (logic.faceMask(head, node) & (parts[0] > 300)).any()
    logic.growMask(head, node, -3.0)
    assert logic.faceMask(head, node).sum() < grown.sum()
    logic.restoreModelMask(head, node)
    assert np.array_equal(logic.faceMask(head, node), parts[1])
    dotted = parts[1].copy()
    dotted[75:78, 2:4, 2:4] = True
    face_segment.set_mask(node, dotted, head)
    logic.keepLargestIsland(head, node)
    assert np.array_equal(logic.faceMask(head, node), parts[1])


def test_fill_makes_a_new_volume_without_the_originals_identity(slicer, logic, head, masked, parts):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Somebody")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(head), patient)
    head.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    head.GetDisplayNode().AutoWindowLevelOff()
    head.GetDisplayNode().SetWindowLevel(321, 45)
    before = slicer.util.arrayFromVolume(head).copy()
    output = logic.applyFill(head, fill="air")
    voxels = slicer.util.arrayFromVolume(output)
    assert output.GetName() == "Head defaced" and voxels.dtype == before.dtype
    assert (voxels[parts[1]] == -1000).all() and np.array_equal(voxels[~parts[1]], before[~parts[1]])
    assert np.array_equal(before, slicer.util.arrayFromVolume(head))
    assert list(output.GetAttributeNames()) == ["CTADeface.Fill"]
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(output)) == hierarchy.GetSceneItemID()
    assert (output.GetDisplayNode().GetWindow(), output.GetDisplayNode().GetLevel()) == (321, 45)


def test_filling_again_updates_the_same_volume(slicer, logic, head, masked, parts):
    first = logic.applyFill(head, fill=-900)
    logic.growMask(head, masked, 3.0)
    second = logic.applyFill(head, fill=-800)
    assert second is first
    assert (slicer.util.arrayFromVolume(first)[logic.faceMask(head)] == -800).all()


def test_input_is_never_written_over(logic, head, masked):
    from CTADefaceLib.errors import InputError

    with pytest.raises(InputError, match="never written over"):
        logic.applyFill(head, masked, outputVolumeNode=head)


def test_several_volumes_keep_their_own_masks(slicer, logic, head, masked, parts):
    other = add_volume(parts[0][:, :, ::-1].copy(), "Other")
    mine = face_by_hand(slicer, other, parts[3])
    assert np.array_equal(logic.faceMask(head), parts[1]) and np.array_equal(logic.faceMask(other), parts[3])
    assert logic.applyFill(other, fill="air") is not logic.applyFill(head, fill="air")
    assert mine is not masked


def test_linear_transform_turns_the_head_upright_for_the_model(slicer, logic, parts):
    # Stored upside down and face backwards as RAS tells it; the transform says how the patient really lay.
    matrix = TURNED @ np.diag([phantom.SPACING_MM] * 3 + [1.0])
    volume = add_volume(parts[0], matrix=matrix)
    volume.SetAndObserveTransformNodeID(add_transform(slicer, np.linalg.inv(TURNED)).GetID())
    node = logic.segmentFace(volume)
    mask = logic.faceMask(volume, node)
    assert 2 * (mask & parts[1]).sum() / (mask.sum() + parts[1].sum()) > 0.6
    assert node.GetTransformNodeID() == volume.GetTransformNodeID()
    output = logic.applyFill(volume, node)
    assert output.GetTransformNodeID() == volume.GetTransformNodeID()
    from CTADefaceLib.slicer_module.scene.volumes import grid_to_ras

    assert np.allclose(grid_to_ras(output), matrix)


def test_under_a_non_linear_transform_the_grid_itself_is_segmented(slicer, logic, parts):
    import vtk

    volume = add_volume(parts[0])
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    spline = vtk.vtkThinPlateSplineTransform()
    points, moved = vtk.vtkPoints(), vtk.vtkPoints()
    for i in range(8):
        corner = [200.0 * (i >> axis & 1) for axis in range(3)]
        points.InsertNextPoint(corner)
        moved.InsertNextPoint(corner[0], corner[1] + 0.2 * corner[2] + (30 if i == 7 else 0), corner[2])
    spline.SetSourceLandmarks(points)
    spline.SetTargetLandmarks(moved)
    spline.SetBasisToR()
    node.SetAndObserveTransformToParent(spline)
    volume.SetAndObserveTransformNodeID(node.GetID())
    segmentation = logic.segmentFace(volume)
    mask = logic.faceMask(volume, segmentation)
    assert 2 * (mask & parts[1]).sum() / (mask.sum() + parts[1].sum()) > 0.6
    assert segmentation.GetTransformNodeID() == node.GetID()


def test_checks_say_where_to_look_in_the_volumes_own_coordinates(slicer, logic, head, parts):
    half = parts[1].copy()
    half[:, :, 32:] = False
    node = face_by_hand(slicer, head, half)
    checks = {check.name: check for check in logic.runChecks(head, node)}
    # The right half was left: the synthetic head is stored with R growing.
    assert checks["residual_skin"].verdict == "fail" and checks["residual_skin"].place[0] > 32 * phantom.SPACING_MM
    assert {check.verdict for name, check in checks.items() if name in ("outside", "brain", "vessels")} == {"pass"}


def test_mask_left_behind_when_the_volume_is_moved_is_refused(slicer, logic, head, masked):
    from CTADefaceLib.errors import MaskError

    moved = np.eye(4)
    moved[0, 3] = 1000
    head.SetAndObserveTransformNodeID(add_transform(slicer, moved).GetID())
    with pytest.raises(MaskError, match="lies outside of Head"):
        logic.applyFill(head, masked)


def test_deface_does_it_all(slicer, logic, head):
    output = logic.deface(head, fill="air")
    mask = logic.faceMask(head)
    assert (slicer.util.arrayFromVolume(output)[mask] == -1000).all()


def test_bad_input_is_named_and_leaves_the_scene_as_it_was(slicer, logic, parts):
    from CTADefaceLib import errors

    def names():
        return sorted(node.GetID() for node in slicer.util.getNodes("*").values())

    flat = add_volume(parts[0][:1], "Slice")
    magnetic = add_volume(np.abs(parts[0]), "MR")
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    faceless = add_volume(np.where(parts[0] > 0, -100, parts[0]), "Faceless")
    before = names()
    for node, error, words in (
        (flat, errors.InputError, "Slice: is a single slice"),
        (magnetic, errors.InputError, "MR: values .* are not CT numbers"),
        (empty, errors.InputError, "No volume"),
        (None, errors.InputError, "No volume"),
        (faceless, errors.NoFaceError, "Faceless: no face found"),
    ):
        with pytest.raises(error, match=words):
            logic.segmentFace(node)
    with pytest.raises(errors.MaskError, match="segment the face first"):
        logic.applyFill(faceless)
    for act in (logic.applyFill, logic.faceMask, logic.runChecks, logic.defacedArray):
        for node in (None, empty):
            with pytest.raises(errors.InputError, match="No volume"):
                act(node)
    assert names() == before


def test_scene_keeps_masks_and_proposals_when_saved_and_loaded(slicer, logic, head, parts, tmp_path):
    from CTADefaceLib.slicer_module.scene import face_segment

    node = face_segment.new_face(head)
    face_segment.set_proposed_mask(node, parts[1], head)
    logic.growMask(head, node, 3.0)
    edited = logic.faceMask(head, node)
    save_and_load(slicer, [head, node, node.GetNodeReference(face_segment.PROPOSAL)], tmp_path)
    volume = slicer.util.getNode("Head")
    loaded = face_segment.find_face(volume)
    assert np.array_equal(logic.faceMask(volume, loaded), edited)
    assert np.array_equal(face_segment.proposal_mask(loaded, volume), parts[1])
    assert logic.isEdited(volume)
