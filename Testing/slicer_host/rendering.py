"""A 3D view's picture, by the displayable managers that draw it in Slicer; offscreen."""

import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
)


def picture(view, size=400):
    """What the 3D view of the node ``view`` shows: uint8 (size, size, 3), rows from the top."""
    window, renderer = _window(size)
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    for name in MANAGERS:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = factory.InstantiateDisplayableManagers(renderer)
    group.SetMRMLDisplayableNode(view)
    renderer.ResetCameraClippingRange()
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(size, size, 3)[::-1].copy()
    group.SetMRMLDisplayableNode(None)
    window.Finalize()
    return pixels


def _window(size):
    window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(size, size)
    interactor = vtk.vtkRenderWindowInteractor()
    window.SetInteractor(interactor)
    renderer.GradientBackgroundOn()
    renderer.SetBackground(0.757, 0.765, 0.910)
    renderer.SetBackground2(0.455, 0.471, 0.745)
    window.AddRenderer(renderer)
    return window, renderer
