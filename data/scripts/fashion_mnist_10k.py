"""fashion_mnist_10k.npz: the first 1,000 training and 200 test pictures of each class."""

import idx
import output
import sources

folder = sources.package("dataset-fashion-mnist") / "usr/share/datasets/fashion-mnist"
output.npz("fashion_mnist_10k.npz", **idx.subset(folder, ".gz", 1000, 200))
