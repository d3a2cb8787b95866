"""Pictures of a head CT as 3D Slicer's volume rendering preset CT-Muscle shows it, without a screen.

All positions are RAS in mm. Pictures are what an observer facing the patient sees: superior is up
and the patient's right is on the left. Needs the optional package vtk and OpenGL; on a machine
without a display vtk falls back to EGL with Mesa's software renderer.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage as ndi

from ..errors import DeviceError, InputError, MissingPackages, OutputError
from ..files.private import private_file
from ..files.publish import publishing
from ..voxels.hu import TISSUE_HU

# Slicer's preset CT-Muscle: (HU, opacity); (HU, red, green, blue); the material; the background of its 3-D views.
OPACITY_POINTS = ((-155.4, 0.0), (217.6, 0.676), (419.7, 0.833), (3071.0, 0.804))
SKIN_COLOURS = ((-155.4, 0.549, 0.251, 0.149), (217.6, 0.882, 0.604, 0.290))
BONE_COLOURS = ((419.7, 1.0, 0.937, 0.955), (3071.0, 0.827, 0.659, 1.0))
AMBIENT, DIFFUSE, SPECULAR, SPECULAR_POWER = 0.1, 0.9, 0.2, 10.0
BACKGROUND_BOTTOM, BACKGROUND_TOP = (0.757, 0.765, 0.910), (0.455, 0.471, 0.745)

VIEW_ANGLE_DEG = 30.0
HU_RANGE = (-1024, 3071)
HEAD_HEIGHT_MM = 260.0  # vertex to below the chin
SKULL_HEIGHT_MM = 180.0  # vertex to above the shoulders
MAX_RADIUS_MM = 165.0
FRAMING_MM = 3.0
FINEST_MM = 0.8
MOST_VOXELS = 256  # per axis
CAPTION_SHARE = 1 / 22  # of the picture's height
GAP_PIXELS = 4

NO_VTK = "Pictures need the package vtk: run `pip install vtk`."
NO_OPENGL = "Pictures need OpenGL: install Mesa, on Debian `apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri`."


@dataclass(frozen=True)
class View:
    """A direction of view, from anterior at 0, 0; positive angles move the camera up and to the patient's left."""

    name: str
    pitch_deg: float
    yaw_deg: float


@dataclass(frozen=True)
class Focus:
    """What the camera frames: a ball around ``centre`` (RAS, mm) of ``radius`` mm."""

    centre: tuple[float, float, float]
    radius: float


FRONTAL = View("frontal", 0.0, 0.0)
OBLIQUE = View("oblique", 0.0, 35.0)


def render_views(hu, index_to_ras, views, size=400, focus=None, caption=None):
    """One picture for each of ``views``: list of uint8 arrays of shape (size, size, 3), rows from the top.

    ``hu``: array (k, j, i) in HU of any dtype; ``index_to_ras``: 4x4, (i, j, k, 1) to RAS mm.
    ``focus``: a ``Focus``, by default ``tissue_focus`` of this volume; pass the same for volumes that are to be
    compared. Only the cube around the focus is drawn. ``caption``: text in the upper left corner.
    Raises ``InputError`` if ``hu`` is not 3-D, ``DeviceError`` without vtk or OpenGL.
    """
    vtk = _import_vtk()
    focus = focus or tissue_focus(hu, index_to_ras)
    part, part_matrix = _cropped(*_checked(hu, index_to_ras), focus)
    with _window(vtk, size) as (window, renderer):
        if min(part.shape) > 1:
            renderer.AddVolume(_volume_actor(vtk, part, part_matrix))
        if caption:
            renderer.AddViewProp(_caption_actor(vtk, caption, size))
        pictures = []
        for view in views:
            _aim(renderer, view, focus)
            window.Render()
            pictures.append(_read_pixels(vtk, window))
    return pictures


def before_after_picture(original_hu, defaced_hu, index_to_ras, path, size=400, overwrite=False):
    """Write a PNG: rows original and defaced, columns frontal and oblique, the same camera for both rows.

    Both volumes: arrays (k, j, i) in HU on the grid of ``index_to_ras`` (4x4, to RAS mm). Returns the path.
    Raises ``OutputError`` if ``path`` exists and ``overwrite`` is False, or cannot be written; ``InputError``
    if the shapes differ; otherwise as ``render_views``.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; choose another name or allow overwriting.")
    write_png(_before_after(original_hu, defaced_hu, index_to_ras, size), path)
    return path


def before_after_png(original_hu, defaced_hu, index_to_ras, size=400):
    """As ``before_after_picture``, but the PNG's bytes: nothing that shows the original is put on a disk."""
    return png(_before_after(original_hu, defaced_hu, index_to_ras, size))


def png(picture):
    """The bytes of a PNG of ``picture``, RGB uint8 (rows, columns, 3)."""
    vtk = _import_vtk()
    image = vtk.vtkImageData()
    image.SetDimensions(picture.shape[1], picture.shape[0], 1)
    pixels = np.ascontiguousarray(picture[::-1].reshape(-1, 3))
    image.GetPointData().SetScalars(vtk.util.numpy_support.numpy_to_vtk(pixels, deep=True))
    writer = vtk.vtkPNGWriter()
    writer.WriteToMemoryOn()
    writer.SetInputData(image)
    writer.Write()
    return bytes(vtk.util.numpy_support.vtk_to_numpy(writer.GetResult()))


def _before_after(original_hu, defaced_hu, index_to_ras, size):
    if np.shape(original_hu) != np.shape(defaced_hu):
        raise InputError("The original and the defaced volume differ in shape; pass two volumes on one grid.")
    focus = tissue_focus(original_hu, index_to_ras)
    captioned = ((original_hu, "Original"), (defaced_hu, "Defaced"))
    return picture_grid([render_views(hu, index_to_ras, (FRONTAL, OBLIQUE), size, focus, text) for hu, text in captioned])


def tissue_focus(hu, index_to_ras):
    """``Focus`` on the head: the largest piece above -300 HU, from its vertex 260 mm down.

    ``hu`` (k, j, i); ``index_to_ras`` 4x4. Without any tissue: the centre and extent of the volume.
    Raises ``InputError`` if ``hu`` is not 3-D.
    """
    hu, matrix = _checked(hu, index_to_ras)
    steps = np.maximum(1, np.rint(FRAMING_MM / _spacing(matrix))).astype(int)
    indices = _largest_piece(hu[:: steps[2], :: steps[1], :: steps[0]] > TISSUE_HU) * steps[::-1]
    if len(indices) == 0:
        indices = np.array([[0, 0, 0], np.array(hu.shape) - 1])
    ras = indices[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3]
    below_vertex = ras[:, 2].max() - ras[:, 2]
    head = ras[below_vertex <= HEAD_HEIGHT_MM]
    skull = ras[below_vertex <= SKULL_HEIGHT_MM]  # shoulders must not widen the frame
    low = np.r_[skull[:, :2].min(0), head[:, 2].min()]
    high = np.r_[skull[:, :2].max(0), head[:, 2].max()]
    half = (high - low) / 2
    radius = min(half.max() + half[1] / 4, MAX_RADIUS_MM)  # perspective enlarges the face, half[1] nearer
    return Focus(tuple(((low + high) / 2).tolist()), max(float(radius), 1.0))


def aim_camera(camera, view, focus):
    """Point a vtkCamera, or Slicer's camera node, from the direction ``view`` at ``focus`` (RAS, mm)."""
    position, towards, up = camera_pose(view, focus)
    camera.SetViewAngle(VIEW_ANGLE_DEG)
    camera.SetFocalPoint(*focus.centre)
    camera.SetPosition(*position)
    camera.SetViewUp(*up)


def camera_pose(view, focus):
    """Position (RAS mm) of the camera, and the unit vectors from the focus towards it and up in the picture."""
    pitch, yaw = np.radians([view.pitch_deg, view.yaw_deg])
    level, superior = np.array([-np.sin(yaw), np.cos(yaw), 0.0]), np.array([0.0, 0.0, 1.0])
    towards = np.cos(pitch) * level + np.sin(pitch) * superior
    distance = focus.radius / np.sin(np.radians(VIEW_ANGLE_DEG / 2))
    return focus.centre + distance * towards, towards, np.cos(pitch) * superior - np.sin(pitch) * level


def _import_vtk():
    try:
        import vtk
        import vtk.util.numpy_support
    except ImportError as error:
        raise MissingPackages(NO_VTK) from error
    return vtk


def _checked(hu, index_to_ras):
    hu = np.asarray(hu)
    if hu.ndim != 3 or hu.size == 0:
        raise InputError(f"A picture needs one 3-D volume, not an array of shape {hu.shape}.")
    return hu, np.asarray(index_to_ras, float).reshape(4, 4)


def _spacing(matrix):
    """Voxel size along i, j, k in mm."""
    return np.linalg.norm(matrix[:3, :3], axis=0)


def _largest_piece(tissue):
    """Indices (n, 3) of the largest connected piece; what is thinner than 5 voxels, as a couch, is left out."""
    opened = ndi.binary_opening(tissue, iterations=2)
    labels, _ = ndi.label(opened if opened.any() else tissue)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.argwhere(labels == sizes.argmax()) if sizes.any() else np.empty((0, 3), int)


def _cropped(hu, matrix, focus):
    """The part (k, j, i; int16) of ``hu`` that touches the cube around ``focus``, and the matrix of this part."""
    corners = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1).T * focus.radius + focus.centre
    indices = (corners - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T
    shape = np.array(hu.shape[::-1])
    low = np.clip(np.floor(indices.min(0)), 0, shape).astype(int)
    high = np.clip(np.ceil(indices.max(0)) + 1, 0, shape).astype(int)
    part = hu[tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))]
    part = np.clip(np.nan_to_num(part, nan=HU_RANGE[0]), *HU_RANGE).astype(np.int16)
    part_matrix = matrix.copy()
    part_matrix[:3, 3] += matrix[:3, :3] @ low
    return part, part_matrix


def _volume_actor(vtk, hu, matrix):
    """The actor of an int16 volume (k, j, i) under its 4x4 matrix to RAS."""
    image, matrix = _drawable_image(vtk, hu, matrix)
    # Slicer leaves all spacing to the matrix, which its GPU mapper stands. This mapper's light then grows with
    # 1 / voxel size; one cubic spacing in the image cures that and keeps Slicer's shading of anisotropic voxels.
    edge = float(_spacing(matrix).min())
    image.SetSpacing(edge, edge, edge)
    user_matrix = vtk.vtkMatrix4x4()
    user_matrix.DeepCopy((matrix / [edge, edge, edge, 1.0]).ravel())
    mapper = vtk.vtkFixedPointVolumeRayCastMapper()
    mapper.SetInputData(image)
    mapper.AutoAdjustSampleDistancesOff()
    mapper.SetSampleDistance(edge / 2)
    actor = vtk.vtkVolume()
    actor.SetMapper(mapper)
    actor.SetProperty(_ct_muscle(vtk))
    actor.SetUserMatrix(user_matrix)
    return actor


def _drawable_image(vtk, hu, matrix):
    """vtkImageData of unit spacing and its matrix, by linear interpolation no finer than a picture can show."""
    image = vtk.vtkImageData()
    image.SetDimensions(*hu.shape[::-1])
    image.GetPointData().SetScalars(vtk.util.numpy_support.numpy_to_vtk(hu.ravel(), deep=True))
    steps = np.maximum(np.maximum(FINEST_MM / _spacing(matrix), np.array(hu.shape[::-1]) / MOST_VOXELS), 1.0)
    if steps.max() > 1.0:
        resize = vtk.vtkImageResize()
        resize.SetInputData(image)
        resize.SetResizeMethodToOutputSpacing()
        resize.SetOutputSpacing(*steps)
        resize.Update()
        image = resize.GetOutput()
        matrix = matrix @ np.diag([*image.GetSpacing(), 1.0])
        image.SetSpacing(1, 1, 1)
    return image, matrix


def _ct_muscle(vtk):
    opacity, colour = vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction()
    for point in OPACITY_POINTS:
        opacity.AddPoint(*point)
    for point in SKIN_COLOURS + BONE_COLOURS:
        colour.AddRGBPoint(*point)
    material = vtk.vtkVolumeProperty()
    material.SetScalarOpacity(opacity)
    material.SetColor(colour)
    material.SetInterpolationTypeToLinear()
    material.ShadeOn()
    material.SetAmbient(AMBIENT)
    material.SetDiffuse(DIFFUSE)
    material.SetSpecular(SPECULAR)
    material.SetSpecularPower(SPECULAR_POWER)
    return material


@contextmanager
def _window(vtk, size):
    """An offscreen render window of ``size`` x ``size`` pixels and its renderer; released at the end."""
    warnings = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.SetGlobalWarningDisplay(0)  # vtk complains about every window type it tries and drops
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(size, size)
    window.Initialize()
    vtk.vtkObject.SetGlobalWarningDisplay(warnings)
    # Rendering into a window that could not be initialised kills the process.
    if not window.GetInitialized():
        raise DeviceError(NO_OPENGL)
    renderer = vtk.vtkRenderer()
    renderer.GradientBackgroundOn()
    renderer.SetBackground(*BACKGROUND_BOTTOM)
    renderer.SetBackground2(*BACKGROUND_TOP)
    window.AddRenderer(renderer)
    try:
        yield window, renderer
    finally:
        window.Finalize()


def _aim(renderer, view, focus):
    aim_camera(renderer.GetActiveCamera(), view, focus)
    renderer.ResetCameraClippingRange()


def _caption_actor(vtk, text, size):
    actor = vtk.vtkTextActor()
    actor.SetInput(text)
    style = actor.GetTextProperty()
    style.SetFontSize(max(round(size * CAPTION_SHARE), 8))
    style.SetVerticalJustificationToTop()
    actor.SetPosition(size * CAPTION_SHARE / 2, size * (1 - CAPTION_SHARE / 2))
    return actor


def _read_pixels(vtk, window):
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    width, height, _ = grab.GetOutput().GetDimensions()
    pixels = vtk.util.numpy_support.vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
    return pixels.reshape(height, width, 3)[::-1].copy()  # vtk counts rows from the bottom


def picture_grid(rows):
    """Lists of equal pictures, row by row, to one picture with white gaps."""
    gap = ((0, GAP_PIXELS), (0, GAP_PIXELS), (0, 0))
    whole = np.block([[[np.pad(picture, gap, constant_values=255)] for picture in row] for row in rows])
    return whole[:-GAP_PIXELS, :-GAP_PIXELS]


def write_png(picture, path):
    """Write a uint8 picture (rows, columns, 3), which may show a face, to ``path`` for the owner only, whole or not at all;
    OutputError."""
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written; choose another folder.")
    try:
        with publishing([path], overwrite=True) as (whole,):
            sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=True), str(private_file(whole)))
    except RuntimeError as error:
        raise OutputError(f"{path} cannot be written; choose another folder.") from error
