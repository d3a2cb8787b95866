"""Real Qt properties for the stand-in widgets, so that .ui files can set them."""

from PySide6 import QtCore


def qt_property(kind, field, changed=None):
    """A property stored in ``field`` (declared on the class); ``changed`` names a method to call afterwards."""
    convert = {bool: bool, int: int, str: lambda text: str(text or "")}.get(kind, list)

    def read(self):
        value = getattr(self, field)
        return convert(value)

    def write(self, value):
        value = convert(value)
        if value == getattr(self, field):
            return
        setattr(self, field, value)
        if changed:
            getattr(self, changed)()

    return QtCore.Property(kind, read, write)
