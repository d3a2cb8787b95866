"""Small modules that scripted modules import: ``slicer.i18n``, ``SampleData``, and a DICOM database."""

import sys
import types

import slicer

# What modules registered with SampleData, as (function, arguments).
SAMPLES = []


class DicomDatabase:
    """Stands for slicer.dicomDatabase: file paths by instance UID, filled by a test."""

    def __init__(self):
        self.files = {}
        self.isOpen = True

    def fileForInstance(self, uid):
        """Path of an instance, empty when unknown."""
        return self.files.get(uid, "")


def _recorder(name):
    def record(*arguments, **keywords):
        SAMPLES.append((name, arguments, keywords))

    return staticmethod(record)


class SampleDataLogic:
    """Stands for SampleData's logic: registrations are recorded."""

    registerCustomSampleDataCategory = _recorder("category")
    registerCustomSampleDataSource = _recorder("source")


def install():
    """Make the modules importable."""
    texts = types.ModuleType("slicer.i18n")
    texts.tr = lambda text: text
    texts.translate = lambda context, text: text
    texts.getContext = lambda path: path
    slicer.i18n = sys.modules[texts.__name__] = texts
    samples = types.ModuleType("SampleData")
    samples.SampleDataLogic = SampleDataLogic
    sys.modules["SampleData"] = samples
    slicer.dicomDatabase = DicomDatabase()
