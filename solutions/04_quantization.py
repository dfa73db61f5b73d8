# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 04: quantization
#
# About three hours of your time. All cells together run in under two minutes on two cores, in 1.2 GB.
#
# When you have done it, you can
#
# - turn weights into codes and back, and say what a bit more is worth;
# - choose a range: by its ends, by least error, by divergence, for a tensor or for each channel;
# - share values by k-means, train them, and code what is left by Huffman;
# - compute a layer in whole numbers alone, as a phone does;
# - quantize without data, with training, and down to one bit;
# - hand in a network as a small file that others can open.

# %% tags=["parameters"]
SEED = 0
FAST = False

# %% [markdown]
# `quantization` holds the techniques, `tensors` the codes that they are made of, `panels` the things to play with.

# %%
import heapq
from functools import partial

import numpy as np
import torch

from efficientdl import costs, datasets, fit, models, tensors
from efficientdl.automl import recipes
from efficientdl.compression import quantization
from efficientdl.course import check, compare, course_progress, hint, predict, quiz, submit
from efficientdl.course.panels import lab_04 as panels
from efficientdl.course.small_file import packed

# %% [markdown]
# ## 1. Numbers and codes
#
# A float of 32 bits can be any of four billion numbers. Does a weight need that choice? The network tells ten kinds of clothes
# apart; nothing is trained in this section.

# %%
fashion = datasets.load("fashion_mnist")
network, x = models.trained("small_cnn_fashion"), fashion.val.x[:1]
some = fashion.train.x[:64]
print(f"{fit.evaluate(network, fashion.val):.2f} of the validation part are right")

# %%
predict(
    "quant-predict-bits",
    "Every weight becomes the nearest of equally spaced levels, without training. With how few bits "
    "does the network lose at most two points of a hundred?",
    ["16 bits", "8 bits", "4 bits", "2 bits"],
)

# %% [markdown]
# Half the bits first: a float of 16 bits keeps its precision over a wide range of sizes, so there is nothing to choose.

# %%
half, report = quantization.half_precision(network, x)
print(f"{fit.evaluate(half, fashion.val):.2f} right, {report.total.weight_bits // 8192} KiB")

# %% [markdown]
# Which bits tell the size of a number and which its digits is a **format**. What each loses on one layer; the network is shipped
# in fp16, so that one loses nothing.

# %%
weight = network.conv3.conv.weight.detach()
formats = {
    "tf32": tensors.TF32,
    "fp16": tensors.FP16,
    "bf16": tensors.BF16,
    "fp8 e4m3": tensors.FP8_E4M3,
    "fp8 e5m2": tensors.FP8_E5M2,
    "AdaptivFloat": tensors.AdaptivFloat(8, 3),
}
for name, form in formats.items():
    lost = (form.round(weight) - weight).norm() / weight.norm()
    print(f"{name:12} {form.bits:2} bits, error {100 * lost:.2f} % of the norm")

# %% [markdown]
# Now few levels on the number line, equally spaced. Move the bits and the range. A narrow range has small steps and cuts what lies
# outside. How many codes are hardly ever used?

# %%
panels.number_line()

# %% [markdown] lead="quant-codes"
# The survey's equation 2. Between `low` and `high` stand `2**bits` levels, both ends included. Each weight is clamped to the range
# and takes the code of the nearest level, `0 .. 2**bits - 1`. Return the codes and the values that they stand for.


# %% exercise="quant-codes"
def to_codes(
    weight: np.ndarray, low: float, high: float, bits: int
) -> tuple[np.ndarray, np.ndarray]:
    """Codes as whole numbers, and their values, both in the weight's shape."""
    ### BEGIN SOLUTION
    step = (high - low) / (2**bits - 1)
    codes = np.round((np.clip(weight, low, high) - low) / step).astype(int)
    return codes, codes * step + low
    ### END SOLUTION


# %%
check("quant-codes")

# %% [markdown]
# Stuck? `hint("quant-codes")` in a cell of your own gives a nudge; call it again and it gives more.
#
# The library's pair is `quantize` and `dequantize`. What shares a scale is a granularity, how the range is chosen is a rule:
# `min_max` is equation 2's own, `symmetric` keeps zero exact.

# %%
for name, groups in {"tensor": tensors.PerTensor(), "channel": tensors.PerChannel()}.items():
    q = tensors.choose_qparams(weight, bits=4, granularity=groups, rule=tensors.min_max)
    near = tensors.dequantize(
        tensors.quantize(weight, q, granularity=groups), q, granularity=groups
    )
    print(f"a range per {name}: error {((near - weight).norm() / weight.norm()):.2f} of the norm")

# %% [markdown]
# A range for each channel costs a scale for each, and is nearer. `quantize_weights` does it to every layer. The curve of accuracy
# against bits, with one scale for a tensor and one for each channel:

# %%
panels.accuracy_bits()

# %%
compare(
    "quant-predict-bits",
    "4 bits",
    "With a scale for each channel four bits are enough here; three cost about ten points.",
)

# %% [markdown]
# How does rounding train? Its slope is zero almost everywhere. The **straight-through estimator** takes it for the identity inside
# the range: $\partial L / \partial x = \partial L / \partial q$.

# %%
line = torch.linspace(-1.5, 1.5, 7, requires_grad=True)
rounded = tensors.fake_quantize(line, low=-1.0, high=1.0, n_levels=3)
(slope,) = torch.autograd.grad(rounded.sum(), line)
print(rounded.tolist(), slope.tolist(), sep="\n")

# %% [markdown]
# ## 2. Where to cut
#
# Few values lie in the tails, and they stretch the range for all others. Cut them off: what is cut gets an error, what stays gets
# smaller steps. Look for the best place by hand, with few bits and with many, for weights and for what comes into the layer.

# %%
panels.clipping()

# %% [markdown] lead="quant-clip"
# Now by search. For a cut $c$ there are $2^{bits} - 1$ levels from $-c$ to $c$, zero among them. Return the cut of `cuts` whose mean
# squared error, of rounding and clipping together, is least.


# %% exercise="quant-clip"
def best_cut(x: np.ndarray, cuts: np.ndarray, bits: int) -> float:
    """The cut of least error; bits is 2 or more."""
    ### BEGIN SOLUTION
    top = 2 ** (bits - 1) - 1
    errors = []
    for cut in cuts:
        step = cut / top
        near = np.clip(np.round(x / step), -top, top) * step
        errors.append(((near - x) ** 2).mean())
    return float(cuts[np.argmin(errors)])
    ### END SOLUTION


# %%
check("quant-clip")

# %% [markdown]
# TensorRT asks another question: how far is the *distribution* of the codes from that of the values? It takes the cut of least
# Kullback-Leibler divergence, $\sum p \log (p / q)$.

# %% [markdown] lead="quant-divergence"
# `counts` is a histogram of magnitudes. Keep `cut` bins. For **p**, add all that is cut off to the last of them. For **q**, take the
# kept bins without that, merge each run of `cut / levels` neighbours into one level, and spread its sum evenly over those bins of
# the run that were not empty. Make both sum to 1; return the divergence over the bins where p is not zero.


# %% exercise="quant-divergence"
def divergence(counts: np.ndarray, cut: int, levels: int) -> float:
    """KL divergence of p from q; levels divides cut, and bin cut - 1 is not empty."""
    ### BEGIN SOLUTION
    p = counts[:cut].astype(float)
    runs = p.reshape(levels, -1)
    full = runs > 0
    share = runs.sum(axis=1, keepdims=True) / np.maximum(full.sum(axis=1, keepdims=True), 1)
    q = np.where(full, share, 0).ravel()
    p[-1] += counts[cut:].sum()
    p, q, seen = p / p.sum(), q / q.sum(), p > 0
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())
    ### END SOLUTION


# %%
check("quant-divergence")

# %% [markdown]
# Five rules for one range for each layer, nothing trained. Guess first: is the rule of least error the most accurate at 4 bits?

# %%
rules = {
    "min-max": tensors.min_max,
    "symmetric": tensors.symmetric,
    "percentile": tensors.Percentile(0.999),
    "least error": tensors.LeastError(n_steps=50),
    "KL": tensors.LeastDivergence(n_bins=512),
}
for name, rule in rules.items():
    model, _ = quantization.quantize_weights(
        network, x, bits=4, granularity=tensors.PerTensor(), rule=rule
    )
    print(f"{name:12} {fit.evaluate(model, fashion.val):.2f} right")

# %% [markdown]
# It is not. Each rule counts an error in the weights; what is wanted are right answers, and a few large weights may matter more
# for them than their number says. Every rule is a stand-in: measure what you want.

# %% [markdown]
# ## 3. Activations, too
#
# Weights are known. What comes into a layer is not, so **post-training quantization** runs some real examples and notes the
# ranges. With 8 bits for weights and activations:

# %%
eight, report = quantization.quantize_static(network, some)
print(f"{fit.evaluate(eight, fashion.val):.2f} right, {report.total.weight_bits // 8192} KiB")

# %% [markdown]
# With few bits that is not enough. **ACIQ** needs no training either: it has three closed forms. First the cut of activations. If
# they have Laplace's density, whose width is the mean distance from its middle, the best cut is so many widths away:

# %%
print({bits: f"{quantization.laplace_cut(bits):.2f}" for bits in (2, 3, 4, 8)})

# %% [markdown]
# Second, the bits of weights are shared out: a channel of wide range gets more than one of narrow range, with as many levels in all.
# Batch norm goes into the weights first. In the first layer:

# %%
folded = quantization.fold_batch_norm(network, some).model
rows = folded.conv1.conv.weight.detach().flatten(1)
channel_bits = quantization.allocate_bits(rows.abs().amax(dim=1), bits=4)
for bits, n in zip(*channel_bits.unique(return_counts=True), strict=True):
    print(f"{n} channels have {bits} bits")

# %% [markdown]
# Third, rounding moves the mean of a channel's weights, and their spread. A factor and a shift put both back, and cost nothing:
# they go into scale and zero point.

# %%
channel = tensors.PerChannel()
q = tensors.choose_qparams(rows, bits=3, granularity=channel)
near = tensors.dequantize(tensors.quantize(rows, q, granularity=channel), q, granularity=channel)
factor, shift = quantization.correct_bias(rows, near, torch.ones_like(rows, dtype=torch.bool))
for name, coded in {"rounded": near, "corrected": factor * near + shift}.items():
    off = (coded.mean(dim=1) - rows.mean(dim=1)).abs().mean() / rows.abs().mean()
    print(f"{name:9} a channel's mean is off by {100 * off:.1f} % of a weight")

# %% [markdown]
# All three together, against the plain rule with a scale for each channel. At which bits do they pay?

# %%
for bits in (4, 3):
    few = {"weight_bits": bits, "activation_bits": bits}
    plain = quantization.quantize_static(folded, some, **few).model
    aciq = quantization.quantize_analytically(folded, some, **few).model
    right = [fit.evaluate(model, fashion.val) for model in (plain, aciq)]
    print(f"{bits} bits: plain {right[0]:.2f}, ACIQ {right[1]:.2f}")

# %% [markdown]
# ## 4. Shared values
#
# Levels need not be equally spaced. k-means puts `2**bits` **centroids** where the weights are. Watch them move, round by round.

# %%
panels.centroids()

# %% [markdown] lead="quant-kmeans"
# One round. Each weight belongs to its nearest centroid; where two are equally near, to the one that stands first. Then each centroid
# moves to the mean of its weights; one without weights stays where it is. Return the new centroids.


# %% exercise="quant-kmeans"
def kmeans_round(weight: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The centroids after one round, in their old order."""
    ### BEGIN SOLUTION
    flat = weight.ravel()
    codes = np.abs(flat[:, None] - centroids).argmin(axis=1)
    new = centroids.copy()
    for code in np.unique(codes):
        new[code] = flat[codes == code].mean()
    return new
    ### END SOLUTION


# %%
check("quant-kmeans")

# %% [markdown]
# At the same bits shared values are nearer than levels of one tensor, and the codebook is a few floats.

# %%
shared, report = quantization.share_weights(network, x, bits=4)
print(f"{fit.evaluate(shared, fashion.val):.2f} right, {report.total.weight_bits // 8192} KiB")
print(shared.conv3.conv)

# %% [markdown] lead="quant-gather"
# Codes are whole numbers and do not train, but the centroids do. `gradient` is that of the whole weight, `codes` says which centroid
# each weight has, `n` how many there are. Return the gradient of each centroid.


# %% exercise="quant-gather"
def gather(gradient: np.ndarray, codes: np.ndarray, n: int) -> np.ndarray:
    """The gradient of the n centroids."""
    ### BEGIN SOLUTION
    return np.bincount(codes.ravel(), weights=gradient.ravel(), minlength=n)
    ### END SOLUTION


# %%
check("quant-gather")

# %% [markdown]
# With two bits much is lost. Train the four values of each layer for a moment:

# %% tags=["nbval-ignore-output"]
n = 480 if FAST else 2700
part = fashion.train.x[:n], fashion.train.y[:n]
plan = partial(fit.Training, train=part, seed=SEED)
for name, finetune in {"as found": None, "trained": plan(epochs=2, lr=3e-3)}.items():
    model = quantization.share_weights(network, x, bits=2, finetune=finetune).model
    print(f"{name:9} {fit.evaluate(model, fashion.val):.2f} right with 2 bits")

# %% [markdown]
# **Product quantization** shares short vectors instead of numbers: rows are cut into blocks, and each block has a codebook of its
# own. All codebooks together are as large as `2**bits` rows, so many rows are wanted. LeNet-300-100, which reads digits, has 300 in
# its first layer.

# %%
lenet, digits = models.trained("lenet_300_100_mnist"), datasets.load("mnist")
digit = digits.val.x[:1]
print(f"float: {fit.evaluate(lenet, digits.val):.2f} right")

# %%
for books in (4, 49, 196):
    model, report = quantization.quantize_product(
        lenet, digit, bits={"fc1": 4}, n_codebooks=books, seed=SEED
    )
    right, kib = fit.evaluate(model, digits.val), report.total.weight_bits // 8192
    print(f"{books:3} codebooks: {right:.2f} right, {kib} KiB")

# %% [markdown]
# More codebooks mean shorter vectors: a smaller error, and more codes. With vectors of length 1 it would be a k-means for each
# column.

# %% [markdown]
# ## 5. Codes for codes: Huffman, and a file
#
# Some centroids have many weights. Give them short codes and the rare ones long codes, so that none begins another. The tree
# is built from below: join the two rarest, again and again.

# %%
panels.huffman_tree()

# %% [markdown] lead="quant-huffman"
# `counts` says how often each symbol occurs; there are two or more. How many bits does the whole stream take in Huffman's code? You
# need no tree for it: each join puts one bit in front of the code of every symbol below it. `heapq` is imported.


# %% exercise="quant-huffman"
def huffman_bits(counts: list[int]) -> int:
    """Bits of the stream, its table apart."""
    ### BEGIN SOLUTION
    heap, bits = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        bits += joined
        heapq.heappush(heap, joined)
    return bits
    ### END SOLUTION


# %%
check("quant-huffman")

# %% [markdown]
# On the shared network of section 4, with tables counted:

# %%
coded, report = quantization.huffman(shared, x)
before = costs.count(shared, x).total.weight_bits
print(f"{before // 8} bytes before, {report.total.weight_bits // 8} with Huffman's code")

# %% [markdown]
# **Deep Compression** is a recipe of three steps: prune and retrain, share and fine-tune, code. LeNet-300-100 on digits was its
# first example.

# %%
predict(
    "quant-predict-file",
    "LeNet-300-100 takes a megabyte. How large is its file after all three steps, if nine weights of "
    "ten are pruned and sixteen values are left for each layer?",
    ["about 250 KB", "about 100 KB", "about 30 KB"],
)

# %% [markdown]
# As in the question, trained for a moment:

# %% tags=["nbval-ignore-output"]
epochs = 2 if FAST else 8
train = partial(fit.Training, train=(digits.train.x, digits.train.y), seed=SEED)
deep, report = recipes.deep_compression(
    lenet,
    digit,
    sparsity=0.9,
    bits=4,
    retrain=train(epochs=epochs, lr=3e-3),
    finetune=train(epochs=1, lr=3e-4),
)
for name, model in {"before": lenet, "after": deep}.items():
    right = fit.evaluate(model, digits.test)
    print(f"{name:6} {right:.3f} right, {recipes.file_bytes(model):,} bytes")

# %% [markdown]
# Not an estimate: the file can be written, and read back into a network of the same shape.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

with TemporaryDirectory() as folder:
    path = Path(folder) / "lenet.edlc"
    recipes.save(deep, path)
    again = recipes.load(path, lenet)
    same_size = path.stat().st_size == recipes.file_bytes(deep)
print("size as claimed:", same_size)
print("same outputs:", torch.equal(again(digits.val.x), deep(digits.val.x)))

# %%
compare(
    "quant-predict-file",
    "about 30 KB",
    "A tenth of the weights stays, each with a few bits for its value and a few for its place.",
)

# %% [markdown]
# ## 6. Whole numbers alone
#
# So far codes were turned back into floats to compute. A small chip has no floats. A code $q$ stands for $S(q - Z)$; in a layer
# the scales come together in one factor $M = S_w S_x / S_y$, which becomes a whole multiplier and a shift.

# %% [markdown]
# One output of one layer, step by step: three inputs, three weights, a bias. Change the first input and follow it through. How few
# bits of the multiplier still give the same code?

# %%
panels.integer_layer()

# %% [markdown] lead="quant-integer"
# Do a whole layer. Weights are symmetric, so their zero is 0. Sum the products of `x - x_zero` and weight, add the bias, multiply by
# `multiplier`, divide by `2**shift` rounding to the nearest (a half upwards), add `y_zero`, and clamp to int8. No floats; the
# products need int64.


# %% exercise="quant-integer"
def integer_linear(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    x_zero: int,
    y_zero: int,
    multiplier: int,
    shift: int,
) -> np.ndarray:
    """Codes of the outputs, int8, n x m, from int8 x, n x k, int8 weight, m x k, int32 bias, m."""
    ### BEGIN SOLUTION
    total = (x.astype(np.int64) - x_zero) @ weight.astype(np.int64).T + bias
    y = ((total * multiplier + (1 << (shift - 1))) >> shift) + y_zero
    return np.clip(y, -128, 127).astype(np.int8)
    ### END SOLUTION


# %%
check("quant-integer")

# %% [markdown]
# `integer_only` does this to the whole network; batch norm goes into the weights, ReLU into the clamp.

# %%
integer, report = quantization.integer_only(network, some)
codes = integer.integers(integer.to_codes(fashion.val.x[:4]))
print(codes.dtype, codes.argmax(dim=1).tolist(), fashion.val.y[:4].tolist())
print(f"{fit.evaluate(integer, fashion.val):.2f} right without a float inside")

# %%
quiz(
    "quant-quiz-bias",
    "Why is the bias kept in 32 bits when weights and activations have 8?",
    {
        "it is added to sums of products": "It has their scale, the product of both; and each is "
        "used by a whole map, so an error there would not average out.",
        "biases are large": "They are not; in units of so small a scale they are large numbers.",
        "there are many of them": "There is one for each channel, so they cost little.",
    },
    answer="it is added to sums of products",
)

# %% [markdown]
# ## 7. Without data
#
# Who quantizes somebody else's network may have no data. One channel with large weights spoils the scale of its layer.
# But behind a ReLU $f(sx) = s f(x)$ for $s > 0$, so a factor may move from a layer to the next.

# %% [markdown] lead="quant-equalize"
# Channel $i$ is row $i$ of `first`, entry $i$ of `bias` and column $i$ of `second`. With $r_1$ and $r_2$ the largest magnitudes of
# row and column, divide row and bias by $s = \sqrt{r_1 r_2} / r_2$ and multiply the column by it.


# %% exercise="quant-equalize"
def equalize(
    first: np.ndarray, bias: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """New first, bias and second; what they compute around a ReLU is the same."""
    ### BEGIN SOLUTION
    r1, r2 = np.abs(first).max(axis=1), np.abs(second).max(axis=0)
    s = np.sqrt(r1 * r2) / r2
    return first / s[:, None], bias / s, second * s
    ### END SOLUTION


# %%
check("quant-equalize")

# %% [markdown]
# `quantize_data_free` does this to all layers in a row, moves high biases on, and takes the mean error of rounding out of the
# biases: batch norm knows the means. One scale for each tensor, no picture seen:

# %%
for bits in (4, 3):
    ways = {
        "plain": quantization.quantize_weights(
            folded, x, bits=bits, granularity=tensors.PerTensor()
        ),
        "biases alone": quantization.quantize_data_free(network, x, bits=bits, sweeps=0),
        "equalized, too": quantization.quantize_data_free(network, x, bits=bits),
    }
    right = {name: f"{fit.evaluate(way.model, fashion.val):.2f}" for name, way in ways.items()}
    print(f"{bits} bits:", right)

# %% [markdown]
# Activations need examples for their ranges. **ZeroQ** makes them up: from noise, down the gradient, until their statistics are
# those that the batch norms kept.

# %% tags=["nbval-ignore-output"]
draw = torch.Generator().manual_seed(SEED)
noise = torch.rand(some.shape, generator=draw)
made = quantization.distill_data(
    network, x, n_examples=32, generator=draw, steps=20 if FAST else 200, limits=(0, 1)
)
for name, batch in {"noise": noise, "made up": made, "real": some}.items():
    off = quantization.norm_mismatch(network, batch).item()
    model = quantization.quantize_static(network, batch, weight_bits=8, activation_bits=4).model
    print(f"{name:8} mismatch {off:.2f}, {fit.evaluate(model, fashion.val):.2f} right")

# %% [markdown]
# What is made up has nearly the statistics of real pictures, and noise has not. In accuracy little changes here: pixels are between
# 0 and 1, the network is small, and noise gives it usable ranges. That is luck; nothing in noise makes it so.

# %% [markdown]
# ## 8. Training with few bits
#
# **Quantization-aware training** rounds in the forward pass and lets the gradient straight through, so that the floats behind the
# codes learn to live with them. With weights of 2 bits:

# %% tags=["nbval-ignore-output"]
few = {"weight_bits": 2, "activation_bits": 4}
for name, training in {"without": None, "with": plan(epochs=2, lr=1e-3)}.items():
    model = quantization.quantization_aware_training(network, some, **few, training=training).model
    print(f"{name:8} training: {fit.evaluate(model, fashion.val):.2f} right")

# %% [markdown] lead="quant-ternary"
# Three values, $-E$, 0 and $+E$. A weight becomes zero where its magnitude is at most 0.7 times the mean magnitude of all; $E$ is the
# mean magnitude of the others.


# %% exercise="quant-ternary"
def ternarize(weight: np.ndarray) -> np.ndarray:
    """The ternary weight, in the same shape."""
    ### BEGIN SOLUTION
    size = np.abs(weight)
    large = size > 0.7 * size.mean()
    return np.where(large, np.sign(weight) * size[large].mean(), 0.0)
    ### END SOLUTION


# %%
check("quant-ternary")

# %% [markdown]
# What is left of filters in one or two bits? Choose how they are rounded and look.

# %%
panels.filters()

# %% [markdown]
# All of them need training. The three large convolutions get ternary or binary weights; the first layer and the last stay in float,
# as in the papers.

# %% tags=["nbval-ignore-output"]
large = ("conv2.conv", "conv3.conv", "conv4.conv")
two, one = dict.fromkeys(large, 2), dict.fromkeys(large, 1)
short = plan(epochs=2, lr=3e-3)
weights_only = {
    "ternary": quantization.ternarize_weights(network, x, bits=two, training=short),
    "trained ternary": quantization.train_ternary(network, x, bits=two, training=short),
    "BinaryConnect": quantization.binary_connect(network, x, bits=one, training=short),
    "stochastic": quantization.binary_connect_stochastic(network, x, bits=one, training=short),
}
for name, (model, _) in weights_only.items():
    print(f"{name:15} {fit.evaluate(model, fashion.val):.2f} right")

# %% [markdown]
# The stochastic one keeps floats: its coin is noise while it trains. Trained ternary quantization learns two sizes for each layer:

# %% tags=["nbval-ignore-output"]
for name in large:
    weight = weights_only["trained ternary"].model.get_submodule(name).weight
    print(name, [f"{value:.2f}" for value in weight.unique().tolist()])

# %% [markdown]
# Now the inputs of the layers too. A sum of products of signs is one XNOR and a count of bits.

# %% tags=["nbval-ignore-output"]
inputs_too = {
    "BNN": quantization.binarize_network(network, some, bits=one, training=short),
    "XNOR-Net": quantization.xnor_network(network, some, bits=one, training=short),
    "DoReFa 1/2/6": quantization.dorefa(network, some, weight_bits=one, training=short),
}
for name, (model, report) in inputs_too.items():
    kib = report.total.weight_bits // 8192
    print(f"{name:13} {fit.evaluate(model, fashion.val):.2f} right, {kib} KiB")

# %%
quiz(
    "quant-quiz-popcount",
    "Of 64 pairs of signs, XNOR finds 40 that agree. What is the sum of their products?",
    {
        "40": "The 24 that differ count too, as -1 each.",
        "16": "40 times +1 and 24 times -1: twice the agreements less 64.",
        "64": "Only if all agree.",
    },
    answer="16",
)

# %% [markdown]
# Does any of it save time on this machine? Codes that are unpacked into floats cannot. Whole numbers can, with a kernel that is made for
# them; on maps as small as these, calling it costs as much as it computes. Lab 13 opens such kernels up.

# %% tags=["nbval-ignore-output"]
candidates = {"float": network, "4 bits": shared, "integers": integer}
costs.side_by_side(candidates, fashion.val.x[:8], repeats=5 if FAST else 30, threads=1)

# %% [markdown]
# ## 9. Challenge: the smallest file that still reads
#
# Hand in LeNet-300-100 as a file in the form of section 5. The judge opens it, counts its bytes, and shows it the test digits. One
# sparsity and one width for all layers, trained as briefly as in section 5, do not meet both limits.

# %% [markdown] lead="quant-smallest"
# Return a network that `recipes.save` can write: prune, share, train as you like. `data.train` and `data.val` are there to work with.


# %% exercise="quant-smallest"
def small_network(model, x, data):
    """The network to hand in."""
    ### BEGIN SOLUTION
    plan = partial(fit.Training, train=(data.train.x, data.train.y), seed=0)
    return recipes.deep_compression(
        model,
        x,
        sparsity={"fc1": 0.98, "fc2": 0.92, "classifier": 0.6},
        bits={"fc1": 3, "fc2": 3, "classifier": 4},
        retrain=plan(epochs=4, lr=8e-3),
        finetune=plan(epochs=1, lr=1e-3),
    ).model
    ### END SOLUTION


# %% tags=["nbval-ignore-output"]
submit("quant-smallest", {"file": packed(small_network(lenet, digit, digits))})

# %% [markdown]
# ## 10. Look back
#
# Two questions in your own words. A person marks them; the rubric is in the solution.

# %% [markdown] lead="quant-written-bits"
# A colleague has stored all weights in four bits. The file is an eighth, and the network is not faster. Why, and what would make
# it faster?

# %% [markdown] written="quant-written-bits"
# Weights in four bits are looked up and turned into floats, and then the float kernel computes as before. Time falls where the
# arithmetic itself is on few bits: integers with a fixed-point factor, or signs with XNOR and a count, on kernels or hardware made
# for them. What does get smaller is the file, the memory, and the bytes that are moved.

# %% [markdown] lead="quant-written-data"
# You are to quantize weights and activations of a network, and its data may not leave the hospital. How do you find the ranges,
# and where does it stop?

# %% [markdown] written="quant-written-data"
# Weights are at hand; ranges of activations are not. Batch norms have kept means and spreads, from which biases can be corrected
# and a batch be made up that has the same statistics. That stops where a network has no batch norm, and at few bits, where one
# would have to train with labels.

# %%
course_progress()

# %% [markdown]
# ## Where the survey says it
#
# Section 2.3: rounding schemes with equations 1 and 2, bit precision with equations 3 to 5, quantization schemes. Section 3.2 lets
# a search choose the bits of each layer; lab 07 does. `benchmarks/compression.py` repeats the headline results at full size,
# several seeds each, beside what the papers print.
