"""Archives in the layouts of the larger sets, small, built in the test."""

import gzip
import io
import pickle
import tarfile
import wave

import numpy as np
from PIL import Image


def idx(path, values):
    values = np.asarray(values, np.uint8)
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + values.tobytes()))
    return path


def tar(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def pickled(value):
    return pickle.dumps(value, protocol=2)


def sound(samples, rate=16000):
    packed = io.BytesIO()
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples * 32767, "<i2").tobytes())
    return packed.getvalue()


def picture(colour, size=(90, 60)):
    packed = io.BytesIO()
    Image.new("RGB", size, colour).save(packed, "JPEG", quality=95)
    return packed.getvalue()
