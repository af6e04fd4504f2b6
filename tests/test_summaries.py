"""Documents to be summarised as prompts, and how much of a summary its document supports."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surefoot as sf
import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.metrics.support import Support, support, terms_of
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.summaries import Document, read_documents, shown_of, summary_task

NEWS = Document("1", "Ann Brook met 12 boys in Oslo.  They sang.\n", ("Ann Brook met boys.", "Boys sang."))
OTHER = Document("2", "The well is nine metres deep.", ("It is deep.",))


def brute(text: list[str], context: list[str], least: int) -> float:
    """Words of the text in some run of `least` words of the context, by looking at every run."""
    runs = {tuple(context[i : i + least]) for i in range(len(context) - least + 1)}
    covered = {i + k for i in range(len(text) - least + 1) if tuple(text[i : i + least]) in runs for k in range(least)}
    return len(covered) / len(text)


def test_support_by_words_and_pairs_is_what_brute_force_finds() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        text, context = (rng.choice(list("abcdef"), size=int(rng.integers(1, 14))).tolist() for _ in range(2))
        found = support(" ".join(text), " ".join(context))
        assert found.words == pytest.approx(brute(text, context, 1))
        assert found.pairs == pytest.approx(brute(text, context, 2))


def test_planted_names_and_numbers_count_and_first_words_do_not() -> None:
    context = "In 1998 Ann Brook of Oslo sold 3.5 tonnes of fish to the U.N. She left."
    assert support("Later Ann Brook sold 3.5 tonnes.", context).terms == 1.0
    assert support("Later Bea Brook sold 4.5 tonnes in 1998.", context).terms == 2 / 4
    assert terms_of('He left. Then "Oslo won," said Bea. I saw 3 of the U-boats') == ["Bea", "3", "U-boats"]
    assert math.isnan(support("she sold fish", context).terms)


def test_a_copy_is_supported_a_shuffled_one_by_words_alone_and_an_empty_one_is_not_judged() -> None:
    words = [f"word{n}" for n in range(60)]
    assert support(" ".join(words[10:30]), " ".join(words)) == Support(1.0, 1.0, 1.0)
    assert support(" ".join(words[::-1]), " ".join(words))[:2] == (1.0, 0.0)
    assert support("", "a b")[:2] == pytest.approx((math.nan, math.nan), nan_ok=True)
    assert support("A  QUICK-brown fox", "a quick brown; fox")[:2] == (1.0, 1.0)


def test_without_its_context_a_prompt_asks_for_the_summary_alone() -> None:
    task = summary_task([NEWS, OTHER])
    for wording in task.wordings:
        prompts = [task.query(example, wording).prompt for example in task.examples]
        assert all(shown_of(example) in prompt.text for example, prompt in zip(task.examples, prompts, strict=True))
        bare = {prompt.without("context").text for prompt in prompts}
        assert len(bare) == 1
        assert "Article:" not in bare.pop()
    assert [task.query(e, task.wordings[0]).answers for e in task.examples] == [NEWS.summaries, OTHER.summaries]


def test_a_document_is_cut_by_words_and_short_ones_stay_as_they_are() -> None:
    cut = summary_task([NEWS, OTHER], words=6)
    assert [shown_of(e) for e in cut.examples] == ["Ann Brook met 12 boys in", OTHER.text]
    assert shown_of(summary_task([NEWS], words=9).examples[0]) == NEWS.text.strip()


def test_prompts_are_the_published_ones(reference_data: Path) -> None:
    """`released` as plain text, with and without the article, for all inputs of the authors' repository."""
    folder = reference_data.parent / "context-aware-decoding"
    articles = {
        one["article_id"]: one for one in map(json.loads, (folder / "cnndm_articles.jsonl").read_text().splitlines())
    }
    task = summary_task(Document(str(n), one["article"], (one["gold_summary"],)) for n, one in articles.items())
    items = list(map(json.loads, (folder / "cnndm_items.jsonl").read_text().splitlines()))
    assert len(items) == 210
    for item in items:
        (example,) = (one for one in task.examples if one.id == str(item["article_id"]))
        prompt = task.query(example, task.wording("released")).prompt
        article = articles[item["article_id"]]["article"]
        assert prompt.text == article.strip() + item["context_prompt_suffix"]
        assert prompt.without("context").text == item["no_context_prompt"]
        assert (item["context_weight"], item["no_context_weight"]) == (1.5, -0.5)  # alpha 0.5


def test_cad_summarises_with_and_without_the_document() -> None:
    """Greedy cad at alpha 0 is the plain text; at alpha 2 it is another one, and stays so for either wording."""
    task, plain = summary_task([NEWS, OTHER]), tiny.causal()
    prompts = [task.query(example, wording).prompt for example in task.examples for wording in task.wordings]
    texts = [
        [text.token_ids for text in sf.treat("cad", plain, alpha=alpha).generate(prompts, Sampling(8))]
        for alpha in (0.0, 2.0)
    ]
    assert texts[0] == [text.token_ids for text in plain.generate(prompts, Sampling(8))]
    assert all(a != b for a, b in zip(*texts, strict=True))


def test_a_file_of_documents_is_a_task_that_a_probe_scores_by_rouge(tmp_path: Path) -> None:
    lines = [
        {"document": NEWS.text, "summary": "Ann Brook met boys."},
        {"id": "b", "document": OTHER.text, "summary": ["It is deep."]},
    ]
    path = tmp_path / "news.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    assert [one.id for one in read_documents(path)] == ["1", "b"]
    (task,) = load_tasks(f"summaries:{path}?words=5&tokens=7")
    assert (task.name, task.max_new_tokens, task.metric) == ("news", 7, "rouge_l")
    assert shown_of(task.examples[0]) == "Ann Brook met 12 boys"
    model = sf.ScriptedModel(lambda prompt, _: "ann brook slept" if "Ann" in prompt.text else "It is deep.")
    scores = {row["item"]: row["score"] for row in sf.probe("phrasing", model, task).rows.to_pylist()}
    assert scores == {"1": pytest.approx(2 * 2 / (3 + 4)), "b": 1.0}


@pytest.mark.parametrize(
    ("line", "options", "part"),
    [
        ({"document": "x"}, "", 'line 1: a document to summarise needs "summary"'),
        ({"document": " ", "summary": "x"}, "", 'The document "1" has no text'),
        ({"document": "x", "summary": [" "]}, "", 'The document "1" has no summary'),
        ({"document": "x", "summary": 3}, "", '"summary" is 3, which is not a list'),
        ({"document": "x", "summary": "y", "titel": ""}, "", "titel"),
        ({"document": "x", "summary": "y"}, "?words=0", "words is 0"),
        ({"document": "x", "summary": "y"}, "?tokens=many", "tokens=many"),
    ],
)
def test_bad_documents_are_refused_with_a_sentence(tmp_path: Path, line: Any, options: str, part: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps(line))
    with pytest.raises(BadInput) as caught:
        load_tasks(f"summaries:{path}{options}")
    assert part in str(caught.value)


def test_two_documents_of_one_id_are_refused() -> None:
    with pytest.raises(BadInput, match='Two documents have the id "1"'):
        summary_task([NEWS, NEWS])
