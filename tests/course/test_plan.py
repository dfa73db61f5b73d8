"""The course map lists every lab, links what is there, and says what is not."""

import json

from efficientdl.course.plan import PLAN, course_map


def test_map_links_the_labs_that_are_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EFFICIENTDL_HOME", str(tmp_path))
    (tmp_path / "01_costs.ipynb").write_text("{}")
    card = course_map()
    assert '<a href="01_costs.ipynb">Costs</a>' in card.html
    assert card.html.count("<a href=") == 1
    assert all(plan.title in card.text for plan in PLAN)


def test_map_says_which_labs_are_to_come(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EFFICIENTDL_HOME", str(tmp_path))
    lines = course_map().text.splitlines()
    assert any("Start here" in line and "0 of 100" in line for line in lines)
    assert any("Capstone" in line and "to come" in line for line in lines)


def test_map_counts_the_points_of_what_was_passed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EFFICIENTDL_HOME", str(tmp_path))
    from efficientdl.course import store

    store.remember("checks", "start-stored-bytes", {"outcome": "correct", "best": 1.0})
    assert any("100 of 100" in line for line in course_map().text.splitlines())
    assert json.dumps(store.everything())


def test_plan_names_every_lab_once():
    assert [plan.lab[:2] for plan in PLAN] == [f"{i:02d}" for i in range(17)]
