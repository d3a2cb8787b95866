"""A head CT drawn as 3D Slicer's volume rendering preset CT-Muscle shows it, without a screen.

Needs the optional package vtk and OpenGL; on a machine without a display vtk falls back to EGL with Mesa's software
renderer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DeviceError, MissingPackages
from ..extras import how_to_install
from .camera import Focus, View, aim_camera, require_volume, tissue_focus, voxel_size
from .elsewhere import views_drawn_elsewhere

if TYPE_CHECKING:
    from vtk import (
        vtkImageData,
        vtkRenderer,
        vtkRenderWindow,
        vtkTextActor,
        vtkVolume,
        vtkVolumeProperty,
    )

# Slicer's preset CT-Muscle: (HU, opacity); (HU, red, green, blue); the material; the background of its 3-D views.
OPACITY_POINTS = ((-155.4, 0.0), (217.6, 0.676), (419.7, 0.833), (3071.0, 0.804))
SKIN_COLOURS = ((-155.4, 0.549, 0.251, 0.149), (217.6, 0.882, 0.604, 0.290))
BONE_COLOURS = ((419.7, 1.0, 0.937, 0.955), (3071.0, 0.827, 0.659, 1.0))
AMBIENT, DIFFUSE, SPECULAR, SPECULAR_POWER = 0.1, 0.9, 0.2, 10.0
BACKGROUND_BOTTOM, BACKGROUND_TOP = (0.757, 0.765, 0.910), (0.455, 0.471, 0.745)

HU_RANGE = (-1024, 3071)
FINEST_MM = 0.8
MOST_VOXELS = 256  # per axis
CAPTION_SHARE = 1 / 22  # of the picture's height

NO_VTK = f"Pictures need the package vtk; run: {how_to_install('picture')}"
NO_OPENGL = "Pictures need OpenGL: install Mesa, on Debian `apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri`."


def render_views(
    hu: np.ndarray,
    index_to_ras: np.ndarray,
    views: Sequence[View],
    size: int = 400,
    focus: Focus | None = None,
    caption: str | None = None,
) -> list[np.ndarray]:
    """One picture for each of ``views``: list of uint8 arrays of shape (size, size, 3), rows from the top.

    ``hu``: array (k, j, i) in HU of any dtype; ``index_to_ras``: 4x4, (i, j, k, 1) to RAS mm.
    ``focus``: a ``Focus``, by default ``tissue_focus`` of this volume; pass the same for volumes that are to be
    compared. Only the cube around the focus is drawn. ``caption``: text in the upper left corner.
    Raises ``InputError`` if ``hu`` is not 3-D, ``MissingPackages`` without vtk, ``DeviceError`` without OpenGL.
    """
    focus = focus or tissue_focus(hu, index_to_ras)
    whole, matrix = require_volume(hu, index_to_ras)
    wanted = (*_cropped(whole, matrix, focus), views, size, focus, caption)
    elsewhere = views_drawn_elsewhere(*wanted)
    return draw_views(*wanted) if elsewhere is None else elsewhere


def draw_views(
    part: np.ndarray, matrix: np.ndarray, views: Sequence[View], size: int, focus: Focus, caption: str | None
) -> list[np.ndarray]:
    """As ``render_views``, of the ``part`` of a volume (int16, with its own ``matrix``) that is to be drawn."""
    vtk = import_vtk()
    with _window(vtk, size) as (window, renderer):
        if min(part.shape) > 1:
            renderer.AddVolume(_volume_actor(vtk, part, matrix))
        if caption:
            renderer.AddViewProp(_caption_actor(vtk, caption, size))
        pictures = []
        for view in views:
            _aim(renderer, view, focus)
            window.Render()
            pictures.append(_read_pixels(vtk, window))
    return pictures


def import_vtk() -> ModuleType:
    """The module ``vtk``. Raises: MissingPackages."""
    try:
        import vtk
        import vtk.util.numpy_support

        # What draws behind VTK's own classes: Slicer's ``vtk`` loads parts only when they are named.
        import vtkmodules.vtkRenderingFreeType
        import vtkmodules.vtkRenderingOpenGL2
        import vtkmodules.vtkRenderingVolumeOpenGL2  # noqa: F401
    except ImportError as error:
        raise MissingPackages(NO_VTK) from error
    return vtk


def _cropped(hu: np.ndarray, matrix: np.ndarray, focus: Focus) -> tuple[np.ndarray, np.ndarray]:
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


def _volume_actor(vtk: ModuleType, hu: np.ndarray, matrix: np.ndarray) -> vtkVolume:
    """The actor of an int16 volume (k, j, i) under its 4x4 matrix to RAS."""
    image, matrix = _drawable_image(vtk, hu, matrix)
    # Slicer leaves all spacing to the matrix, which suits its GPU mapper. With this mapper, brightness would then grow
    # with 1 / voxel size; one cubic spacing in the image cures that and keeps Slicer's shading of anisotropic voxels.
    edge = float(voxel_size(matrix).min())
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


def _drawable_image(vtk: ModuleType, hu: np.ndarray, matrix: np.ndarray) -> tuple[vtkImageData, np.ndarray]:
    """vtkImageData of unit spacing and its matrix, by linear interpolation no finer than a picture can show."""
    image = vtk.vtkImageData()
    image.SetDimensions(*hu.shape[::-1])
    image.GetPointData().SetScalars(vtk.util.numpy_support.numpy_to_vtk(hu.ravel(), deep=True))
    steps = np.maximum(np.maximum(FINEST_MM / voxel_size(matrix), np.array(hu.shape[::-1]) / MOST_VOXELS), 1.0)
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


def _ct_muscle(vtk: ModuleType) -> vtkVolumeProperty:
    opacity, colour = vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction()
    for point in OPACITY_POINTS:
        opacity.AddPoint(*point)
    for colour_point in SKIN_COLOURS + BONE_COLOURS:
        colour.AddRGBPoint(*colour_point)
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
def _window(vtk: ModuleType, size: int) -> Iterator[tuple[vtkRenderWindow, vtkRenderer]]:
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


def _aim(renderer: vtkRenderer, view: View, focus: Focus) -> None:
    aim_camera(renderer.GetActiveCamera(), view, focus)
    renderer.ResetCameraClippingRange()


def _caption_actor(vtk: ModuleType, text: str, size: int) -> vtkTextActor:
    actor = vtk.vtkTextActor()
    actor.SetInput(text)
    style = actor.GetTextProperty()
    style.SetFontSize(max(round(size * CAPTION_SHARE), 8))
    style.SetVerticalJustificationToTop()
    actor.SetPosition(size * CAPTION_SHARE / 2, size * (1 - CAPTION_SHARE / 2))
    return actor


def _read_pixels(vtk: ModuleType, window: vtkRenderWindow) -> np.ndarray:
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    width, height, _ = grab.GetOutput().GetDimensions()
    pixels = vtk.util.numpy_support.vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
    return pixels.reshape(height, width, 3)[::-1].copy()  # vtk counts rows from the bottom
