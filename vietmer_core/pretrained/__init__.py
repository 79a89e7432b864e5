"""Pretrained encoders: finding a checkpoint, loading it strictly, and training none, some or all of it.

Needs the extra `pretrained` of `vietmer-core` (transformers, huggingface_hub, safetensors, peft).
"""
