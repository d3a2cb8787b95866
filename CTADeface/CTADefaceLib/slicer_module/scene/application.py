"""The application around us, if there is one."""

import slicer


def application():
    """``slicer.app``, or None in PythonSlicer and in Python with the slicer-core package."""
    return getattr(slicer, "app", None)


def layout_manager():
    """The layout manager, or None without an application or its main window."""
    return application().layoutManager() if application() else None
