"""What damages the bytes of a file, and writes copies of a DICOM series in which one file or element is changed."""

import gzip
import struct
import zlib

import numpy as np

BOMB_BYTES = 2**28


def bomb(data, rng, low, high):
    """A deflated file whose content is followed by zeros in one private element."""
    start = 144 + int.from_bytes(data[140:144], "little")
    content = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    content += struct.pack("<HH2sHI", 0x7FE3, 0x1001, b"OB", 0, BOMB_BYTES) + bytes(BOMB_BYTES)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return data[:start] + packer.compress(content) + packer.flush()


def put(data, offset, new):
    return data[:offset] + new + data[offset + len(new) :]


def flipped(data, rng, low, high):
    """``data`` with one bit of one to three bytes between two places turned."""
    data = bytearray(data)
    high = min(high or len(data), len(data))
    for place in rng.integers(min(low, high - 1), high, rng.integers(1, 4)):
        data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def flipping(data, rng, low, high):
    """What makes ``flipped`` of it, the same each time."""
    seed = int(rng.integers(2**31))
    return lambda: flipped(data, np.random.default_rng(seed), low, high)


def packing(packed, change, *arguments):
    return lambda: gzip.compress(change(*arguments), 1) if packed else change(*arguments)


def file_writer(source, rng, change, low=0, high=None):
    """Writes a copy of a series in which one file is changed."""
    seed = int(rng.integers(2**31))

    def write(folder):
        own = np.random.default_rng(seed)
        paths = sorted(source.iterdir())
        chosen = paths[int(own.integers(len(paths)))]
        for path in paths:
            data = path.read_bytes()
            (folder / path.name).write_bytes(change(data, own, low, high) if path == chosen else data)
        return folder

    return write


def element_writer(source, keyword, value, every):
    """Writes a copy of a series in which an element of one file, or of every file, has another value."""

    def write(folder):
        import pydicom
        from pydicom import config

        for number, path in enumerate(sorted(source.iterdir())):
            dataset = pydicom.dcmread(path)
            if every or number == 7:
                with config.disable_value_validation():
                    element = dataset[keyword] if keyword in dataset else None  # noqa: SIM401 - get answers with the value
                    vr = element.VR if element is not None else pydicom.datadict.dictionary_VR(keyword)
                    text = "\\".join(value) if isinstance(value, list) else value
                    if vr in ("US", "SS"):
                        dataset.add_new(keyword, vr, value)
                        packed = struct.pack("<H", value)
                    else:
                        packed = str(text).encode()
                        packed += b" " * (len(packed) % 2)
                    tag = pydicom.tag.Tag(keyword)
                    raw = pydicom.dataelem.RawDataElement(tag, vr, len(packed), packed, 0, False, True)
                    dataset._dict[tag] = raw
            dataset.save_as(folder / path.name)
        return folder

    return write
