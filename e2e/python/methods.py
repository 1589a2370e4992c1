"""Prints the public methods of HfApi, one a line."""

from huggingface_hub import HfApi

print("\n".join(name for name in vars(HfApi) if not name.startswith("_") and callable(getattr(HfApi, name))))
