"""Every public name's docstring has an example, and every example runs: on a small real head."""

import doctest
import inspect

import numpy as np
import pytest
import SimpleITK as sitk

import CTADefaceLib

PUBLIC = [name for name in CTADefaceLib.__all__ if name != "__version__"]
PARSER = doctest.DocTestParser()


@pytest.fixture(scope="module")
def heads(small_cranium, tmp_path_factory):
    """A folder with the files that the examples read."""
    folder = tmp_path_factory.mktemp("examples")
    # Just within one patch of the network instead of four.
    image = small_cranium[2:-2, 2:-2, :]
    mask = CTADefaceLib.segment_face(image)
    half = sitk.GetArrayFromImage(mask)
    # Without its lower half.
    half[: np.argwhere(half)[:, 0].mean().astype(int)] = 0
    half = sitk.GetImageFromArray(half)
    half.CopyInformation(image)
    top = int(np.argwhere(sitk.GetArrayFromImage(mask).any((1, 2))).max())
    (folder / "release").mkdir()
    for name, kept in (
        ("head.nii.gz", image),
        ("vertex.nii.gz", image[:, :, top + 3 :]),
        ("head_facemask.nii.gz", mask),
        ("half_mask.nii.gz", half),
        ("release/head_facemask.nii.gz", mask),
    ):
        sitk.WriteImage(kept, str(folder / name), True)
    return folder


@pytest.mark.parametrize("name", ["", *PUBLIC])
def test_the_example_of_a_public_docstring_runs(name, heads, monkeypatch):
    thing = getattr(CTADefaceLib, name) if name else CTADefaceLib
    # A class without a docstring of its own would show its parent's.
    text = inspect.cleandoc(vars(thing)["__doc__"] if name and isinstance(thing, type) else thing.__doc__)
    example = PARSER.get_doctest(text, {}, name or "CTADefaceLib", None, 0)
    assert example.examples, f"{name}: no example"
    assert not any(doctest.SKIP in step.options for step in example.examples)
    monkeypatch.chdir(heads)
    said = []
    runner = doctest.DocTestRunner(verbose=False)
    failures = runner.run(example, out=said.append).failed
    assert failures == 0, "".join(said)


def test_what_a_python_program_catches_and_gets_is_exported_and_found():
    caught = {"CTADefaceError", "InputError", "MaskError", "NoFaceError", "ChecksFailed", "ModelError", "DeviceError"}
    caught |= {"MissingPackages", "OutOfMemory", "OutputError", "Cancelled"}
    assert caught | {"Check", "Defaced", "Geometry"} <= set(PUBLIC) <= set(dir(CTADefaceLib))
    assert all(getattr(CTADefaceLib, name).__name__ == name for name in PUBLIC)
    assert all(issubclass(getattr(CTADefaceLib, name), CTADefaceLib.CTADefaceError) for name in caught)
