"""New folders of unused names, where the user may not be allowed to write.

``tempfile`` takes a refusal by Windows for a name that is in use and tries two billion others (python/cpython#66305).
"""

import shutil
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


def new_folder(place, prefix):
    """Path of a new folder in ``place``, for its owner only. Raises: OSError when nothing can be written there."""
    folder = Path(place) / f"{prefix}{uuid4().hex}"
    folder.mkdir(mode=0o700)
    return folder


@contextmanager
def temporary_folder(place, prefix):
    """``new_folder``, removed with what is in it afterwards."""
    folder = new_folder(place, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
