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
# # Start here
#
# A quarter of an hour. All cells together run in under a minute on two cores, in 0.8 GB.
#
# Deep networks are large, and the devices around us are small. This course is about closing that gap, on real networks and
# real data, on your own machine. In this first lab you
#
# - make one network ten times smaller, live, and see what that costs;
# - meet the check, the hints and the points, on one small exercise.
#
# Run a cell with Shift+Enter. Start with the next one.

# %% tags=["parameters"]
SEED = 0
FAST = False

# %%
from efficientdl.course import check, compare, course_progress, hint, predict, quiz
from efficientdl.course.panels import lab_00 as panels
from efficientdl.course.plan import course_map

# %% [markdown]
# ## The course
#
# Each lab is a notebook in the list on the left. They follow the survey "Enable Deep Learning on Mobile Devices" (Cai, Lin,
# Lin, Liu, Tang, Wang, Zhu and Han, 2021); every technique that it names has its place.

# %%
course_map()

# %% [markdown]
# ## A first look at the end
#
# Here is a small network that reads handwritten digits. It was trained on 5,400 digits of MNIST and has never seen the 2,000
# it is tested on. Before you touch it, guess. There are no points in this; a guess on record makes you look twice.

# %%
predict(
    "start-predict-prune",
    "You set the half of its weights that are closest to zero to zero, and train nothing. "
    "What share of the digits does it still read?",
    ["nearly all", "about half", "about a tenth, as if it guessed"],
)

# %% [markdown]
# Three ways to make it cheaper, a slider each. **Channels** removes whole filters, the weakest first. **Zeros** sets the
# weights closest to zero to zero. **Bits** rounds every weight to a few levels. It starts at 16, half of the bits the network was trained
# with, because nothing is lost there yet. Nothing is trained again. Drag a slider, or use the arrow keys; all four numbers are
# computed anew each time, and the last one is timed.

# %% tags=["nbval-ignore-output"]
panels.first_look()

# %% [markdown]
# Play until you can answer: which slider moves which number? Then look for the smallest network that reads hardly fewer digits
# than at the start. Ten times smaller is within reach.

# %%
quiz(
    "start-quiz-latency",
    "Which slider makes the network faster on this machine?",
    {
        "channels": "What is gone is not multiplied.",
        "zeros": "A dense kernel multiplies by zero as slowly as by any other number.",
        "bits": "The weights are turned back into floats before the same multiplication.",
    },
    answer="channels",
)

# %% [markdown]
# "Smaller" and "faster" are different promises. Lab 13 builds kernels that skip zeros and compute with few bits, and lab 14 the
# machines; until then, we never claim a speed that we have not timed.

# %%
compare(
    "start-predict-prune",
    "nearly all",
    "Half of the weights hardly matter to the answer. Lab 02 finds out which, and goes much further.",
)

# %% [markdown]
# ## How exercises work
#
# An exercise gives you a function to finish. Its docstring is the whole task. Replace the line that raises
# `NotImplementedError`, run the cell, then run the check below it. A check calls your function on fresh inputs, and when
# something is wrong it shows you one case: the input, what was wanted, what came. `hint("start-stored-bytes")` in a cell of your
# own helps, in three steps.

# %% [markdown] lead="start-stored-bytes"
# `n_weights` weights of `bits` bits each are packed one after the other into a file. How many bytes long is it?


# %% exercise="start-stored-bytes"
def stored_bytes(n_weights: int, bits: int) -> int:
    """Bytes of a file with n_weights packed weights of `bits` bits; the last byte may be partly empty."""
    ### BEGIN SOLUTION
    return -(-n_weights * bits // 8)
    ### END SOLUTION


# %%
check("start-stored-bytes")

# %% [markdown]
# ## Points and grading
#
# Each lab has 100 points. A passed check is remembered, and the table below adds up. When you hand a notebook in, a grader takes
# your answers only, puts them into a fresh copy of the lab, and calls them on inputs that you have not seen. So an answer that
# passes here because it is right passes there too. Put all that an answer needs, helper functions as well, into its own cell: cells that
# you add are not handed on. `efficientdl progress` shows the table in a terminal.

# %%
course_progress()

# %% [markdown]
# Now open [lab 01, costs](01_costs.ipynb): what exactly did the sliders save?
