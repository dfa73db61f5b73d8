"""The course map: every lab of the plan, and which of them are here."""

from pathlib import Path
from typing import NamedTuple

from efficientdl.course import cards, store
from efficientdl.course.exercise import Challenge, Exercise
from efficientdl.course.registry import tasks_of


class Planned(NamedTuple):
    """One lab of the plan."""

    lab: str
    title: str
    about: str


PLAN = (
    Planned("00_start_here", "Start here", "one network ten times smaller, live"),
    Planned("01_costs", "Costs", "parameters, MACs, memory, energy, roofline, carbon"),
    Planned("02_pruning", "Pruning", "what to remove, in which shapes, and when"),
    Planned("03_low_rank", "Low rank", "one layer as the product of thinner ones"),
    Planned("04_quantization", "Quantization", "fewer bits for weights and activations"),
    Planned("05_distillation", "Distillation", "a small network that learns from a large one"),
    Planned("06_nas", "Architecture search", "letting a search design the network"),
    Planned("07_auto_compression", "Automated compression", "AMC, HAQ, once-for-all, TinyML"),
    Planned("08_on_device", "On-device training", "fine-tuning in the memory of a phone"),
    Planned("09_federated", "Federated learning", "many devices, few bits between them"),
    Planned("10_point_clouds", "Point clouds", "sparse three-dimensional data"),
    Planned("11_video", "Video", "time, without three-dimensional cost"),
    Planned("12_language", "Language", "attention, from the formula to an accelerator"),
    Planned("13_kernels_and_compilers", "Kernels and compilers", "code that is really faster"),
    Planned("14_accelerators", "Accelerators", "a systolic array, cycle by cycle"),
    Planned("15_co_design", "Co-design", "network and hardware, searched together"),
    Planned("16_capstone", "Capstone", "a device, a budget, and everything above"),
)


def course_map() -> cards.Card:
    """Every lab of the course, with a link to those that are in this folder.

    A lab that is planned and not here yet says so.
    """
    here = {path.stem for path in Path.cwd().glob("*.ipynb")}
    rows = [["lab", "", "about", "points"]]
    rows += [[plan.lab[:2], plan.title, plan.about, _points(plan.lab)] for plan in PLAN]
    text = cards.table_text(rows)
    html = cards.table_html("The labs of the course", rows)
    for plan in PLAN:
        if plan.lab in here:
            link = f'><a href="{plan.lab}.ipynb">{plan.title}</a></td>'
            html = html.replace(f">{plan.title}</td>", link)
    return cards.Card(text, cards.status(html))


def _points(lab: str) -> str:
    """Points earned of those to earn; a dash for a lab that is not written yet."""
    asked = [t for t in tasks_of(lab).values() if isinstance(t, Exercise | Challenge)]
    if not asked:
        return "to come"
    progress = store.everything()
    passed = sum(
        task.points
        for task in asked
        if progress["checks"].get(task.id, {}).get("outcome") == "correct"
        or progress["artefacts"].get(task.id, {}).get("share") == 1.0
    )
    return f"{passed} of {sum(task.points for task in asked)}"
