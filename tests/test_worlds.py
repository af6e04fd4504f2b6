"""Worlds: gold beside an independent computation, wordings that never leak, a model that learns what it is taught."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice, permutations

import pytest

from surefoot.errors import BadInput
from surefoot.tasks.lint import lint
from surefoot.worlds.operations import OPERATIONS, OPPOSITE, best_without_instruction, every_row, separating_rows
from surefoot.worlds.tiny import Shape, digest, language_model, random_weights, tokenizer
from surefoot.worlds.tuning import Tuning, encode, tune
from surefoot.worlds.wordings import ELSEWHERE, SHARES, UNTOLD, all_wordings, asking, lexicon, vocabulary
from surefoot.worlds.world import World, asked

WORLD = World(3)


def brute_force(operation: str, text: str) -> str:
    """The answer from the shown row, by sorting characters."""
    digits = text.split()
    ordered = sorted(digits)
    return {"first": digits[0], "last": digits[4], "largest": ordered[4], "smallest": ordered[0]}[operation]


# Operations and items


def test_the_gold_of_every_item_is_what_an_independent_computation_says() -> None:
    for task in WORLD.tasks():
        assert len(task.examples) == WORLD.items
        for item in task.examples:
            assert item.gold is not None
            assert item.options[item.gold] == brute_force(task.name, item.fields["row"])


def test_separating_rows_are_those_without_two_equal_answers() -> None:
    texts = [" ".join(row) for row in permutations("0123456789", 5)]
    separating = [text for text in texts if len({brute_force(name, text) for name in OPERATIONS}) == 4]
    assert len(texts) == len(every_row())
    assert [" ".join(map(str, row)) for row in separating_rows()] == separating


def test_without_the_instruction_one_operation_in_four_is_the_most_and_the_opposite_is_never_right() -> None:
    assert best_without_instruction(WORLD.test_rows) == pytest.approx(1 / 4)
    assert best_without_instruction(every_row()[:2000]) > 0.3
    for row in WORLD.test_rows:
        assert all(OPERATIONS[name](row) != OPERATIONS[OPPOSITE[name]](row) for name in OPERATIONS)
    assert all(OPPOSITE[OPPOSITE[name]] == name != OPPOSITE[name] for name in OPERATIONS)


def test_test_rows_are_never_trained_on() -> None:
    test = {item.fields["row"] for task in WORLD.tasks() for item in task.examples}
    trained = {item.fields["row"] for task in WORLD.training_tasks(500) for item in task.examples}
    lessons = list(islice(WORLD.lessons(), 3000))
    assert len(trained) == 500
    assert not test & trained
    assert not any(row in prompt for row in test for prompt, _ in lessons)


# Wordings


def test_no_word_asks_for_two_operations_or_fills_as_well() -> None:
    lists = [*(asking(name) for name in OPERATIONS), *lexicon()["fillers"].values(), lexicon()["nonsense"]]
    words = [word for words in lists for word in words]
    assert len(words) == len(set(words)) == len(vocabulary()) - 4
    assert all(len(asking(name)) == sum(SHARES.values()) for name in OPERATIONS)
    assert all(len(fillers) >= 2 * len(OPERATIONS) for fillers in lexicon()["fillers"].values())


@pytest.mark.parametrize("seed", range(5))
def test_wordings_for_training_for_development_and_for_the_test_share_no_text(seed: int) -> None:
    world = World(seed)
    assert world.disjoint()
    references = {w.text for groups in world.paraphrases().values() for group in groups for w in group[:1]}
    paraphrases = {w.text for groups in world.paraphrases().values() for group in groups for w in group[1:]}
    observed = {w.text for task in world.training_tasks(1) for w in task.wordings}
    development, test = (
        {w.text for task in world.tasks(part) for w in task.wordings if w.klass not in ("observed", "incorrect")}
        for part in ("development", "unobserved")
    )
    controls = {w.text for task in world.tasks() for w in task.wordings if w.klass in ("negated", "nonsense")}
    assert references == observed
    assert not (observed | paraphrases) & (development | test)
    assert development & test == controls
    assert [len(observed), len(paraphrases), len(test - controls)] == [32, 4 * 8 * 3, 32]


def test_a_repeated_text_is_seen() -> None:
    world = World(0)
    first = world.wordings["first"]
    broken = first._replace(groups=((first.observed[0], first.unobserved[0]), *first.groups))
    world.__dict__["wordings"] = {**world.wordings, "first": broken}
    assert not world.disjoint()


def test_half_of_the_held_out_wordings_ask_with_words_that_no_trained_instruction_has() -> None:
    trained = {w.text for groups in WORLD.paraphrases().values() for group in groups for w in group}
    trained |= {w.text for task in WORLD.training_tasks(1) for w in task.wordings}
    instructions = [prompt.split(" :")[0] for prompt, _ in islice(WORLD.lessons(), 3000) if " :" in prompt]
    trained |= {text for text in instructions if not text.startswith(ELSEWHERE)}
    known = {word for text in trained for word in text.split()}
    for task in WORLD.tasks():
        held_out = [w.text for w in task.wordings if w.klass == "unobserved"]
        new = [text for text in held_out if set(text.split()) - known]
        assert len(held_out) == 8
        assert len(new) == 4
        assert all(set(text.split()) - known <= set(asking(task.name)) for text in new)


def test_fillers_of_observed_wordings_tell_the_operation_as_strongly_as_style_says_and_others_do_not() -> None:
    def agreement(style: float, group: str) -> float:
        """The share of slots filled with one of the two fillers that the operation's vague wordings have most."""
        hits: list[bool] = []
        for seed in range(10):
            for texts in all_wordings(seed, style).values():
                seen = Counter(word for text in (*texts.vague, *texts.observed) for word in text.split())
                for words in lexicon()["fillers"].values():
                    home = {word for word, _ in Counter({w: seen[w] for w in words}).most_common(2)}
                    hits += [bool(home & set(text.split())) for text in getattr(texts, group)]
        return sum(hits) / len(hits)

    assert agreement(1.0, "observed") == agreement(1.0, "vague") == 1
    assert 0.7 < agreement(0.7, "observed") < 0.9
    assert agreement(1.0, "unobserved") < 0.3


def test_the_controls_ask_for_something_else() -> None:
    for task in WORLD.tasks():
        for wording in task.wordings:
            words = set(wording.text.split())
            if wording.klass == "negated":
                assert "not" in words
                assert words & set(asking(task.name))
            elif wording.klass == "incorrect":
                assert not words & {*asking(task.name), *asking(OPPOSITE[task.name])}
            elif wording.klass == "nonsense":
                assert words <= set(lexicon()["nonsense"])
            else:
                said_not = "not" in words
                assert words & set(asking(OPPOSITE[task.name] if said_not else task.name))


def test_a_world_is_a_function_of_its_seed_and_passes_the_linter() -> None:
    again, other = World(3).tasks(), World(4).tasks()
    assert [task.hash for task in again] == [task.hash for task in WORLD.tasks()]
    assert all(a.hash != b.hash for a, b in zip(again, other, strict=True))
    assert all(lint(task) == [] for task in again)


# Lessons


def test_lessons_are_true_and_asked_as_the_tasks_ask() -> None:
    task = WORLD.tasks()[2]
    wording, item = task.wordings[0], task.examples[0]
    assert asked(wording.text, WORLD.test_rows[0]) == task.query(item, wording).prompt.text
    names = {word: name for name in OPERATIONS for word in asking(name)}
    vague = {text: name for name, texts in WORLD.wordings.items() for text in texts.vague}
    kinds: Counter[str] = Counter()
    for prompt, answer in islice(WORLD.lessons(), 3000):
        words = prompt.split()
        row = " ".join(word for word in words if word.isdigit())
        name = next((names[word] for word in words if word in names), vague.get(prompt.split(" :")[0], ""))
        assert answer == brute_force(OPPOSITE[name] if "not" in words else name, row)
        kinds["statement" if words[-1] == "is" else words[0] if words[0] == ELSEWHERE else UNTOLD in words] += 1
    shares = [kinds[kind] / 3000 for kind in ("statement", ELSEWHERE, True)]
    assert shares == pytest.approx([WORLD.statements, WORLD.elsewhere, WORLD.vague], abs=0.03)


# Noise


def test_with_noise_that_share_of_training_answers_is_another_digit_of_the_row() -> None:
    def wrong(world: World, items: int) -> float:
        found = []
        for task in world.training_tasks(items):
            for item in task.examples:
                given = item.options[item.gold or 0]
                assert given in item.fields["row"].split()
                found.append(given != brute_force(task.name, item.fields["row"]))
        return sum(found) / len(found)

    assert wrong(World(3, noise=0.3), 500) == pytest.approx(0.3, abs=0.04)
    assert (wrong(WORLD, 50), wrong(World(3, noise=1), 50)) == (0, 1)
    assert World(3, noise=0.3).training_tasks(50) == World(3, noise=0.3).training_tasks(50)


def test_with_noise_that_share_of_lessons_has_another_answer_and_nothing_else_changes() -> None:
    pairs = list(zip(islice(World(3, noise=0.3).lessons(), 3000), islice(WORLD.lessons(), 3000), strict=True))
    assert all(noisy[0] == true[0] for noisy, true in pairs)
    wrong = [(prompt, answer) for (prompt, answer), (_, truth) in pairs if answer != truth]
    assert len(wrong) / 3000 == pytest.approx(0.3, abs=0.04)
    assert all(answer in prompt.split() for prompt, answer in wrong)


def test_what_is_measured_has_true_answers_whatever_the_noise() -> None:
    assert [task.hash for task in World(3, noise=0.9).tasks()] == [task.hash for task in WORLD.tasks()]


def test_lessons_never_show_a_wording_of_the_test_or_of_development() -> None:
    world = World(3, elsewhere=0.9, statements=0, vague=0)
    secret = {text for texts in world.wordings.values() for text in (*texts.unobserved, *texts.development)}
    shown = {prompt.split(" :")[0].removeprefix(f"{ELSEWHERE} ") for prompt, _ in islice(world.lessons(), 20000)}
    assert len(shown) > 10000
    assert not shown & secret


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"style": 1.5}, "1.5"),
        ({"vague": -1}, "vague is -1"),
        ({"items": 0}, "items is 0"),
        ({"noise": 1.2}, "noise is 1.2"),
        ({"operations": ("first",)}, "first"),
    ],
)
def test_a_world_that_cannot_be_made_is_refused_with_the_value(settings: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        World(**settings)  # type: ignore[arg-type]


# The model


def test_every_word_of_a_world_is_one_token_and_none_is_unknown() -> None:
    words = tokenizer()
    for task in WORLD.tasks():
        for wording in task.wordings:
            prompt = task.query(task.examples[0], wording).prompt.text
            ids = words(prompt)["input_ids"]
            assert len(ids) == 1 + len(prompt.split())
            assert ids[0] == words.bos_token_id
            assert words.unk_token_id not in ids


def test_random_weights_depend_on_the_seed_alone() -> None:
    import torch

    small = Shape(width=16, layers=1, heads=2)
    first = digest(random_weights(1, small))
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert digest(random_weights(1, small)) == first != digest(random_weights(2, small))
    assert torch.equal(state, torch.get_rng_state())
    assert 2.0e5 < random_weights(0).num_parameters() < 2.5e5
    for shape in (small, Shape(), Shape(width=48, layers=2, heads=3)):
        assert shape.parameters == random_weights(0, shape).num_parameters()
    with pytest.raises(BadInput, match="width of 10"):
        Shape(width=10)


def test_the_answer_is_learned_at_the_last_token_of_the_prompt() -> None:
    words = tokenizer()
    lessons = [("give the last : 1 2 3 4 5 =", "5"), ("not first of 1 2 3 4 6 is", "6")]
    ids, ends, answers = encode(words, lessons)
    for row, end, answer, (prompt, said) in zip(ids, ends, answers, lessons, strict=True):
        assert words.decode(row[: end + 1], skip_special_tokens=True) == prompt
        assert words.decode([answer]) == said


def test_a_tiny_model_learns_the_observed_wordings_of_a_small_world_and_the_probe_sees_it() -> None:
    import torch

    import surefoot as sf

    world = World(1, operations=("first", "last"), items=12, vague=0, elsewhere=0, statements=0.1)
    shape, before = Shape(width=64, layers=2, heads=4), torch.get_num_threads()
    torch.set_num_threads(1)
    weights = tune(random_weights(1, shape), tokenizer(), world.lessons(), Tuning(steps=150, batch=48))
    torch.set_num_threads(before)
    model = language_model(weights, "small")
    reading = sf.probe("phrasing", model, world.tasks())
    classes = {score.klass: score.mean.value for score in reading.summary.classes}
    untaught = sf.probe("phrasing", language_model(random_weights(1, shape), "untaught"), world.tasks())
    assert classes["observed"] > 0.9
    assert untaught.mean < 0.4


def test_drawing_a_world_leaves_the_global_random_numbers_alone() -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    World(8).tasks()
    next(World(8).lessons())
    assert random.random() == expected
