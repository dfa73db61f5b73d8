"""A network with everything that an integer network knows, in one small picture."""

import torch
from torch import nn

from efficientdl.models import seeded


class ResidualNet(nn.Module):
    """Stem with ReLU6, depthwise and pointwise convolution around a residual sum, two pools."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 8, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(8)
        self.stem_relu = nn.ReLU6(inplace=True)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(8)
        self.pointwise = nn.Conv2d(8, 8, 1, bias=False)
        self.pointwise_norm = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(2)
        self.mean = nn.AdaptiveAvgPool2d(2)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        y = self.stem_relu(self.stem_norm(self.stem(x)))
        z = torch.relu(self.depthwise_norm(self.depthwise(y)))
        y = y + self.pointwise_norm(self.pointwise(z))
        return self.head(self.dropout(self.flatten(self.mean(self.pool(y)))))


def residual_net(seed=0):
    """The network, in evaluation mode, its batch norms with statistics worth folding."""
    model = seeded(ResidualNet, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean.normal_(0, 0.5, generator=generator)
        norm.running_var.uniform_(0.2, 2.0, generator=generator)
        with torch.no_grad():
            norm.weight.uniform_(0.5, 3.0, generator=generator)
            norm.bias.normal_(0.5, 1.0, generator=generator)
    return model.eval()


X = torch.randn(16, 2, 8, 8, generator=torch.Generator().manual_seed(5))
