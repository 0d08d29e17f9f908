from gmm.commandline.mistakes import explain_mistake


def test_a_near_name_is_offered():
    assert explain_mistake("unknown verb 'fti'", "fti", ["fit", "score"]) == (
        "unknown verb 'fti'; did you mean fit?"
    )


def test_a_dotted_name_is_found_by_its_last_part():
    names = ["training.epochs", "training.batch_size", "seed"]
    assert explain_mistake("no", "epoch", names) == "no; did you mean training.epochs?"
    assert explain_mistake("no", "optimiser.epochs", names) == "no; did you mean training.epochs?"


def test_the_same_last_part_elsewhere_is_offered_too():
    assert "seed or split.seed" in explain_mistake("no", "seeed", ["seed", "split.seed", "run"])


def test_without_a_near_name_a_short_list_is_shown_whole_and_a_long_one_is_not():
    assert explain_mistake("no", "qqq", ["fit", "score"]) == "no; expected one of: fit, score"
    assert explain_mistake("no", "qqq", [f"name{i}" for i in range(25)]) == "no"


def test_a_name_is_told_once_and_none_need_exist():
    assert explain_mistake("no", "qqq", ["fit"] * 3) == "no; expected one of: fit"
    assert explain_mistake("no", "qqq", []) == "no"


def test_no_more_names_are_offered_than_asked_for():
    near = explain_mistake("no", "name", [f"name{i}" for i in range(9)], most=2)
    assert near.count(" or ") == 1
