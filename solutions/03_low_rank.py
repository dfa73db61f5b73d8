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
# # Lab 03: low rank
#
# About two hours of your time. All cells together run in under two minutes on two cores, in 1.2 GB.
#
# When you have done it, you can
#
# - cut a matrix at its singular values, and say why no other matrix of that rank is nearer;
# - tell when two thin layers do fewer multiplications than one, and when they do not;
# - take a convolution apart in five ways, and count each;
# - fit a factorization to what a layer puts out, instead of to its weights;
# - find ranks for a share, an energy or a budget;
# - say why a layer with a quarter of the MACs is not four times faster.

# %% tags=["parameters"]
SEED = 0
FAST = False

# %% [markdown]
# One import cell for the whole lab. `compression` holds the five techniques and the rules that find ranks, `models.trained` gives
# networks that were trained for this course, `panels` the things to play with.

# %%
import numpy as np

from efficientdl import compression, costs, datasets, fit, models
from efficientdl.compression import Energy, MacBudget, Share, Vbmf
from efficientdl.course import check, compare, course_progress, hint, predict, quiz, submit
from efficientdl.course.panels import lab_03 as panels
from efficientdl.course.panels.lab_03_scan import sensitivity

# %% [markdown]
# ## 1. One matrix, two thin ones
#
# A linear layer multiplies by an $m \times k$ matrix $W$. If the rows of $W$ resemble each other, $W$ is nearly a product
# $AB$ with $A$ of $m \times t$ and $B$ of $t \times k$: two layers, the first with few outputs. The singular value
# decomposition $W = U S V^T$ finds them. Its values $S$ say how much of $W$ lies along each direction, the most first; we
# keep the first $t$.
#
# Guess first. The network is LeNet-300-100, trained on MNIST.

# %%
predict(
    "rank-predict-spectrum",
    "The first layer of LeNet-300-100 has 300 singular values. How many must stay so that the "
    "network loses at most one point of accuracy?",
    ["about 30", "about 100", "about 250"],
)

# %% [markdown]
# Move the rank. The trained values fall faster than those of random numbers of the same size, but they do not fall to nothing.
# What does the accuracy do meanwhile? Then look at the convolutions.

# %%
panels.spectrum()

# %%
compare(
    "rank-predict-spectrum",
    "about 30",
    "A tenth of the values, with 63 % of the energy, keeps accuracy within a point: much of what "
    "is in the weights never meets an input.",
)

# %% [markdown] lead="rank-nearest"
# The matrix of rank `rank` that is nearest to `weight`. Eckart and Young proved in 1936 that cutting the singular values gives
# the least squared error that the rank allows. `np.linalg.svd` may do the decomposition.


# %% exercise="rank-nearest"
def nearest(weight: np.ndarray, rank: int) -> np.ndarray:
    """The nearest matrix of this rank, of the same shape as `weight`."""
    ### BEGIN SOLUTION
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vt[:rank]
    ### END SOLUTION


# %%
check("rank-nearest")

# %% [markdown]
# Stuck? `hint("rank-nearest")` in a cell of your own gives a nudge; call it again and it gives more.
#
# The theorem also says what is lost: the root of the sum of the squared values that were cut. No other way comes below it. Here are
# twenty planes of 30 random directions, with the nearest matrix in each.

# %%
lenet, mnist = models.trained("lenet_300_100_mnist"), datasets.load("mnist")
weight = lenet.fc1.weight.detach().double().numpy()
s = np.linalg.svd(weight, compute_uv=False)
rng = np.random.default_rng(SEED)
planes = [np.linalg.qr(rng.normal(size=(300, 30)))[0] for _ in range(20)]
others = [np.linalg.norm(weight - q @ (q.T @ weight)) for q in planes]
print(f"singular vectors lose {np.sqrt((s[30:] ** 2).sum()):.1f} of {np.linalg.norm(weight):.1f},")
print(f"the best of twenty random planes {min(others):.1f}")

# %% [markdown] lead="rank-energy"
# How large a rank? One answer: keep a share of the **energy**, the sum of the squared singular values. Return the smallest rank
# that keeps at least this share. `singular` is sorted, the largest first.


# %% exercise="rank-energy"
def rank_for_energy(singular: np.ndarray, kept: float) -> int:
    """Smallest rank whose share of the energy is at least `kept`, above 0 and below 1."""
    ### BEGIN SOLUTION
    share = np.cumsum(singular**2) / np.sum(singular**2)
    return 1 + int((share < kept).sum())
    ### END SOLUTION


# %%
check("rank-energy")

# %% [markdown]
# The library's rule is `Energy`, and its truncated SVD is `factorize_svd`. It takes a model and an example of its input, and
# gives a new model and a report. Keep nine tenths of the energy of every layer:

# %%
x = mnist.val.x[:1]
thin, report = compression.factorize_svd(lenet, x, rank=Energy(0.9))
print(f"accuracy {fit.evaluate(lenet, mnist.val):.3f}, then {fit.evaluate(thin, mnist.val):.3f}")
report

# %% [markdown]
# Read the sentence under the table. Two thirds of the weights stay, and accuracy fell all the same: the last layer, which keeps the
# ten digits apart, has 8 directions now. Energy does not know what a direction is for, nor what it costs. What does it cost? A pair
# saves only below its **break-even rank**. Move the sizes: where does it lie for a square layer, where for a flat one?

# %%
panels.pair()

# %% [markdown] lead="rank-break-even"
# A linear layer with `m` outputs and `k` inputs does $mk$ MACs. The pair of rank $t$ does $tk + mt$. Return the largest rank at
# which the pair does *fewer*.


# %% exercise="rank-break-even"
def break_even(m: int, k: int) -> int:
    """Largest rank at which two layers do fewer MACs than one; 0 if there is none."""
    ### BEGIN SOLUTION
    return (m * k - 1) // (m + k)
    ### END SOLUTION


# %%
check("rank-break-even")

# %% [markdown]
# So ask for what you want to spend. `Share(0.2)` is the largest rank at which a layer keeps at most a fifth of its weights. A
# policy `{layer: rank}` treats layers differently, and leaves those alone that it does not name: here, the last one.

# %%
policy = {"fc1": Share(0.2), "fc2": Share(0.4)}
thin, report = compression.factorize_svd(lenet, x, rank=policy)
print(f"accuracy {fit.evaluate(thin, mnist.val):.3f}")
report

# %% [markdown]
# ## 2. Convolutions: four more ways
#
# A convolution's weight has four axes, $c_{out} \times c_{in} \times k \times k$. There are several ways to lay it out as a
# matrix, and several to leave it a tensor. Each gives a chain of ordinary layers.
#
# - **SVD**: $t$ filters of $k \times k$, then $1 \times 1$.
# - **Spatial** (Jaderberg): $k \times 1$, then $1 \times k$.
# - **CP** (Lebedev): $1 \times 1$, $k \times 1$ and $1 \times k$ in each channel alone, $1 \times 1$.
# - **Tucker-2** (Kim): $1 \times 1$, a small $k \times k$, $1 \times 1$.
# - **Channel** (Zhang): shapes as for SVD, fitted to the responses.

# %% [markdown] lead="rank-spatial"
# Spatial factorization writes $W[o, i, y, x] \approx \sum_t h[o, t, x]\, v[t, i, y]$: the first convolution goes down the columns
# ($v$), the second along the rows ($h$). Laid out the right way, that is a matrix of rank $t$, so you know its least error.
# Return it, as a share of the norm of the kernel.


# %% exercise="rank-spatial"
def spatial_error(kernel: np.ndarray, rank: int) -> float:
    """Least norm of (kernel - factorized kernel) over the norm of the kernel.

    kernel  weights, c_out x c_in x r x s
    rank    channels between the two convolutions
    """
    ### BEGIN SOLUTION
    c_out, c_in, r, s = kernel.shape
    matrix = kernel.transpose(0, 3, 1, 2).reshape(c_out * s, c_in * r)
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    return float(np.sqrt(squares[rank:].sum() / squares.sum()))
    ### END SOLUTION


# %%
check("rank-spatial")

# %% [markdown]
# Now a real network: a small CNN, trained on Fashion-MNIST. Its three large convolutions get a quarter of their weights each.

# %%
cnn, fashion = models.trained("small_cnn_fashion"), datasets.load("fashion_mnist")
image = fashion.val.x[:1]
quarter = dict.fromkeys(["conv2.conv", "conv3.conv", "conv4.conv"], Share(0.25))
svd, _ = compression.factorize_svd(cnn, image, rank=quarter)
spatial, report = compression.factorize_spatial(cnn, image, rank=quarter)
print(spatial.conv3.conv)
print(report.note)

# %% [markdown] lead="rank-weights"
# Count the weights of the two that leave the tensor a tensor. CP is a sum of `terms` products of four vectors. Tucker-2 has a
# core of `p` x `q` filters, from `q` channels to `p`, between two $1 \times 1$ convolutions. Biases apart.


# %% exercise="rank-weights"
def factor_weights(
    c_out: int, c_in: int, kernel: int, terms: int, p: int, q: int
) -> tuple[int, int]:
    """Weights of the CP chain, and of the Tucker-2 chain, for square kernels."""
    ### BEGIN SOLUTION
    cp = terms * (c_in + kernel + kernel + c_out)
    tucker = c_in * q + p * q * kernel**2 + c_out * p
    return cp, tucker
    ### END SOLUTION


# %%
check("rank-weights")

# %% [markdown]
# A term of CP is cheap, so a quarter of the weights buys many of them. There is no formula for the best sum: alternating least
# squares improves one factor at a time, and takes a few seconds here.

# %%
cp, report = compression.factorize_cp(cnn, image, rank=quarter)
print(cp.conv3.conv)
print(report.note)

# %% [markdown]
# Tucker-2 has two ranks, one for each side. Its paper takes them from `Vbmf`, variational Bayes, which has nothing to set: it asks
# how many directions stand out of the noise in the weights. That is bold, and meant to be followed by training. Below it, the
# same quarter as above.

# %%
print(compression.factorize_tucker(cnn, image, rank=dict.fromkeys(quarter, Vbmf())).report.note)
tucker, report = compression.factorize_tucker(cnn, image, rank=quarter)
print(tucker.conv3.conv)
print(report.note)

# %%
quiz(
    "rank-quiz-terms",
    "conv3 has 32 channels in, 64 out, 3x3 kernels. With a quarter of its weights an SVD has rank "
    "13, and CP has 45 terms. Why so many more?",
    {
        "A term of CP costs less": "32 + 3 + 3 + 64 = 102 weights, where a rank of the SVD takes "
        "288 + 64 = 352.",
        "CP leaves the bias out": "The bias stays in the last layer of every chain.",
        "CP was trained meanwhile": "It was fitted to the weights alone; it has seen no image.",
    },
    answer="A term of CP costs less",
)

# %% [markdown]
# ## 3. Fit the responses, not the weights
#
# A weight matters as much as the inputs that meet it. Zhang and others therefore ask which directions the *responses* $y = Wx + b$
# vary in, over real images. With $U$ the $t$ leading ones and $M = U U^T$, the nearest that rank $t$ allows is
# $\bar y + M (y - \bar y)$. Since $y$ is linear in $x$, that is a layer again: its weight $MW$ has rank $t$, its bias changes.

# %% [markdown] lead="rank-responses"
# Do it for a linear layer. The rows of `x` are inputs. Return the new weight, as one matrix of rank `rank`, and the new bias.


# %% exercise="rank-responses"
def rebuild(
    weight: np.ndarray, bias: np.ndarray, x: np.ndarray, rank: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weight m x k and bias m of the layer of this rank that best rebuilds the responses."""
    ### BEGIN SOLUTION
    y = x @ weight.T + bias
    mean = y.mean(axis=0)
    directions = np.linalg.svd(y - mean, full_matrices=False)[2]
    u = directions[:rank].T
    project = u @ u.T
    return project @ weight, project @ (bias - mean) + mean
    ### END SOLUTION


# %%
check("rank-responses")

# %% [markdown]
# The library does it for convolutions, where every position of every image is a row. It needs data, and no labels. All five have a
# quarter of the weights now, and none has been trained since.

# %%
channel, _ = compression.factorize_channel(cnn, image, rank=quarter, inputs=fashion.train.x[:300])
five = {"SVD": svd, "channel": channel, "Tucker-2": tucker, "spatial": spatial, "CP": cp}
panels.standing({"dense": cnn, **five}, fashion.val)

# %% [markdown]
# SVD and channel have the same shapes and the same MACs: what differs is only what they were fitted to. Compare them in the
# panel. With one image, what does the fit miss?

# %%
panels.errors()

# %% [markdown]
# ## 4. Ranks under a budget
#
# A phone gives you so many MACs for the whole network. In a convolution a rank costs $c_{in} k^2 + c_{out}$ MACs at every
# position of the output, so a rank here and a rank there are not the same coin. The plainest way to share a budget out: every
# layer keeps the same share of its own MACs.

# %% [markdown] lead="rank-even"
# Each layer is an `m` x `k` matrix that is applied at `n` positions: `(m, k, n)`. All start at rank 1. Again and again, find the
# layer whose share, MACs of the pair over MACs of the layer, would be *least* with one rank more; layers at full rank are out. If
# that rank still fits, it gets it; if not, stop.


# %% exercise="rank-even"
def even_ranks(layers: list[tuple[int, int, int]], budget: int) -> list[int]:
    """Rank of each layer; together they do at most `budget` MACs, which rank 1 everywhere does.

    layers  m, k and n of each: outputs, inputs, positions
    """
    ### BEGIN SOLUTION
    ranks, left = [1] * len(layers), budget - sum(n * (m + k) for m, k, n in layers)
    while True:
        shares = [
            (t + 1) * (m + k) / (m * k) if t < min(m, k) else np.inf
            for t, (m, k, _) in zip(ranks, layers)
        ]
        least = int(np.argmin(shares))
        m, k, n = layers[least]
        if shares[least] == np.inf or n * (m + k) > left:
            return ranks
        ranks[least] += 1
        left -= n * (m + k)
    ### END SOLUTION


# %%
check("rank-even")

# %% [markdown]
# `MacBudget` is the library's rule. LeNet-5 does 2.3 million MACs; here it gets a million, in two ways: for all four layers, and
# for the two large ones, of which the convolution gets most.

# %%
lenet5, x = models.trained("lenet_5_mnist"), mnist.val.x[:1]
every, report = compression.factorize_svd(lenet5, x, rank=MacBudget(1_000_000))
print(report.note)
policy = {"conv2": MacBudget(600_000), "fc1": MacBudget(100_000)}
two, report = compression.factorize_svd(lenet5, x, rank=policy)
print(report.note)
panels.standing({"dense": lenet5, "all four": every, "two large": two}, mnist.val)

# %% [markdown]
# Nearly the same MACs, and not the same network. The last layer now tells ten digits apart with 4 directions, the first one makes its
# 20 filters of 4, and neither held weights worth saving. An even share is a start, not an answer. The challenge asks for better.

# %% [markdown]
# ## 5. Is it faster?
#
# The report counts. Only a clock tells. All five networks do about a quarter of the MACs of the dense one.

# %%
predict(
    "rank-predict-latency",
    "One image at a time, how much faster than the dense network is the best of the five?",
    ["about four times", "two or three times", "less than twice"],
)

# %% tags=["nbval-ignore-output"]
repeats = 10 if FAST else 30
costs.side_by_side({"dense": cnn, **five}, image, repeats=repeats, threads=1)

# %% [markdown]
# MACs and milliseconds tell different stories. Each thin layer writes a feature map and the next one reads it; each starts up anew;
# the depthwise pair of CP does few MACs on each number that it moves. With many images at once the start-up matters less:

# %% tags=["nbval-ignore-output"]
batch = fashion.val.x[:64]
costs.side_by_side({"dense": cnn, **five}, batch, repeats=repeats, threads=1)

# %%
compare(
    "rank-predict-latency",
    "less than twice",
    "So it was on the machine where this lab was written, and some of the five were no faster than "
    "the dense network. On yours, the two tables above decide.",
)

# %% [markdown]
# ## 6. Train it again
#
# A factorized network is an ordinary network: every factor is a layer that can learn. Training mends most where most was broken; where
# little was, a short training may even cost a little.

# %% tags=["nbval-ignore-output"]
n = 3000 if FAST else 9000
train = fashion.train.x[:n], fashion.train.y[:n]
again = fit.Training(train=train, val=fashion.val, epochs=1 if FAST else 3, lr=2e-3, seed=SEED)
for name in ("SVD", "CP"):
    before, after = fit.evaluate(five[name], fashion.test), again.run(five[name])
    print(f"{name}: {before:.3f}, after training {fit.evaluate(after, fashion.test):.3f}")

# %% [markdown]
# ## 7. Challenge: LeNet-5, ten times smaller
#
# Two layers of LeNet-5 matter: `fc1` holds nearly all weights, `conv2` does most of the work. Each was cut to several ranks,
# the other left whole. You may hand in any ranks that you like; a layer that you do not name stays as it is. The same share of
# both layers does not meet the budget, nor does the same rank.

# %%
scan = sensitivity()
scan

# %% [markdown] lead="rank-budget"
# Write the choice. Each row is a dictionary with `layer`, `rank`, `accuracy`, `params_saved` and `macs_saved`, the last two of
# this layer alone. `limits` says how much both together have to save at least, `params_saved` and `macs_saved`.


# %% exercise="rank-budget"
def choose_ranks(rows: list[dict], limits: dict[str, int]) -> dict[str, int]:
    """A rank for each layer: as accurate as possible, and together they save enough."""
    ### BEGIN SOLUTION
    layers = {row["layer"] for row in rows}
    for least in sorted({row["accuracy"] for row in rows}, reverse=True):
        good = [row for row in rows if row["accuracy"] >= least]
        picked = [
            min((row for row in good if row["layer"] == layer), key=lambda row: row["rank"])
            for layer in layers & {row["layer"] for row in good}
        ]
        if all(sum(row[name] for row in picked) >= limits[name] for name in limits):
            return {row["layer"]: row["rank"] for row in picked}
    return {}
    ### END SOLUTION


# %%
submit("rank-budget", {"ranks": choose_ranks(scan.rows, scan.limits)})

# %% [markdown]
# ## 8. Look back
#
# Two questions in your own words. A person marks them; the rubric is in the solution.

# %% [markdown] lead="rank-written-slower"
# A colleague factorized every convolution with CP: a tenth of the MACs, and no faster on the phone. What would you tell them, and
# what would you measure?

# %% [markdown] written="rank-written-slower"
# One layer became four. Each writes a feature map that the next one reads, and the two depthwise ones do very few MACs for each
# number they move, so memory bounds them. Four small operations also start up four times, which weighs most at batch 1. I
# would time both networks on the phone, in turns, with the spread, then layer by layer, and choose ranks by that.

# %% [markdown] lead="rank-written-energy"
# Somebody chooses ranks so that every layer keeps 90 % of its energy. Why may that be too much in one layer and too little in
# another, and what would you do instead?

# %% [markdown] written="rank-written-energy"
# Energy is the squared error of the weights. What counts is the error of the outputs, and inputs are not equally strong in all
# directions: a small singular value may meet strong inputs, a large one none. I would choose by the responses on real data, or scan
# accuracy layer by layer, and train a little afterwards.

# %%
course_progress()

# %% [markdown]
# ## Where the survey says it
#
# Section 2.2, low-rank factorization: truncated SVD of fully-connected layers, the spatial split of Jaderberg and others, the channel
# split of Zhang and others, CP and Tucker decomposition. That fewer MACs is not less latency stands in section 3.2.
