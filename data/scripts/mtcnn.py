"""mtcnn_pnet.npz, mtcnn_rnet.npz, mtcnn_onet.npz: the weights of three face detectors."""

import output
import sources
import torch

folder = sources.package("facenet-pytorch") / "facenet_pytorch/data"
for name in ("pnet", "rnet", "onet"):
    weights = torch.load(folder / f"{name}.pt", weights_only=True)
    output.npz(f"mtcnn_{name}.npz", **{key: value.numpy() for key, value in weights.items()})
