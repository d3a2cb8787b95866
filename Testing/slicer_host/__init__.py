"""A thin stand-in for the 3D Slicer application, for tests without the desktop program.

The scene, its nodes and the modules' logics are real (wheel ``slicer-core``), so is Qt (wheel ``PySide6``); what
cannot be installed is imitated: PythonQt's modules ``qt`` and ``ctk``, Slicer's own widgets, ``slicer.app`` and the
base classes of scripted modules. Code written for Slicer runs unchanged.
"""

import os
import sys

_host = None


def start(main_window=True):
    """Start the stand-in (once in a process) and return its ``Host``."""
    global _host
    if _host is None:
        _host = _create(main_window)
    return _host


def _create(main_window):
    """Install all stand-ins in the order in which they need each other."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    import slicer

    # PySide6 looks at the source of every loaded module, which torch's dynamic ones do not stand.
    dynamic = [name for name in sys.modules if name.startswith(("torch.classes", "torch.ops"))]
    dynamic = {name: sys.modules.pop(name) for name in dynamic}
    from . import qt_module

    sys.modules.update(dynamic)
    slicer.util.qt = qt_module.install()
    from . import (
        application,
        ctk_widgets,
        mrml_widgets,
        parameter_node,
        python_packages,
        scripted_loader,
        scripted_module,
        segment_editor,
        small_modules,
    )
    from .host import Host

    for part in (
        ctk_widgets,
        mrml_widgets,
        segment_editor,
        scripted_module,
        scripted_loader,
        parameter_node,
        python_packages,
        small_modules,
    ):
        part.install()
    return Host(*application.start(main_window))
