"""What other programs make of DICOM files: pydicom, GDCM (in SimpleITK), DCMTK, dcm2niix, the validator dciodvfy."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np


def have(program):
    return shutil.which(program) is not None


def sorted_files(folder):
    """Files of a series from the lowest slice to the highest, by ImagePositionPatient."""
    import pydicom

    def height(path):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        cosines = np.array(header.ImageOrientationPatient, float)
        return float(np.cross(cosines[:3], cosines[3:]) @ np.array(header.ImagePositionPatient, float))

    return sorted(Path(folder).glob("*.dcm"), key=height)


def by_pydicom(paths):
    """Stored values (k, rows, columns)."""
    import pydicom

    return np.stack([pydicom.dcmread(path).pixel_array for path in paths])


def by_gdcm(paths):
    """HU (k, rows, columns), as GDCM reads and rescales each file."""
    import SimpleITK as sitk

    slices = []
    for path in paths:
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
        slices.append(sitk.GetArrayFromImage(reader.Execute())[0])
    return np.stack(slices)


def by_dcmtk(paths, folder, signed):
    """Stored words (k, rows, columns) as dcmdump writes them out, int16 or uint16."""
    import pydicom

    slices = []
    for path in paths:
        subprocess.run(["dcmdump", "+W", str(folder), str(path)], check=True, capture_output=True)
        header = pydicom.dcmread(path, stop_before_pixels=True)
        raw = Path(folder) / f"{path.name}.0.raw"
        words = np.fromfile(raw, "<i2" if signed else "<u2", header.Rows * header.Columns)
        raw.unlink()
        slices.append(words.reshape(header.Rows, header.Columns))
    return np.stack(slices)


def drawn_by_dcmtk(path, folder):
    """True when DCMTK's dcm2img (dcm2pnm before 3.6.9) draws a file."""
    program = "dcm2img" if have("dcm2img") else "dcm2pnm"
    picture = Path(folder) / "picture.pgm"
    subprocess.run([program, "+Wm", str(path), str(picture)], check=True, capture_output=True)
    return picture.stat().st_size > 1000


def by_dcm2niix(folder, out):
    """HU of the one NIfTI file that dcm2niix makes of a series, (k, rows, columns) in the order of ``sorted_files``.

    dcm2niix turns rows round, so that they run to anterior, and may turn slices round.
    """
    import nibabel

    subprocess.run(
        ["dcm2niix", "-z", "n", "-b", "n", "-m", "n", "-f", "out", "-o", str(out), str(folder)],
        check=True,
        capture_output=True,
    )
    made = sorted(Path(out).glob("out*.nii"))
    image = nibabel.load(made[0])
    array = np.asarray(image.dataobj).T[:, ::-1]
    for path in made:
        path.unlink()
    # RAS z of the third axis tells whether slices were turned round.
    return array if image.affine[2, 2] >= 0 else array[::-1]


def validator_errors(path):
    """The errors (a set of texts without values) that dciodvfy finds in a file."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
    text = (done.stdout + done.stderr).decode(errors="replace")
    return {re.sub(r"<[^>]*>$", "", line) for line in text.splitlines() if line.startswith("Error")}
