"""Tiny gemma4_unified checkpoints with random weights in which every tensor matters."""

import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import (
    Gemma4UnifiedConfig,
    Gemma4UnifiedForConditionalGeneration,
    GenerationConfig,
)

import make_tokenizer
from common import HERE, be_deterministic

IDS = make_tokenizer.IDS
VOCAB = 512
LONGEST_RUN = 8
EXTRA_CHARACTERS = "éüß—"

# One row per directory of tests/golden/models.
MODELS = {
    # Tensor names and config spelling of the released checkpoint; window longer than a picture.
    "tiny_stored": dict(
        seed=3, hidden_size=64, intermediate_size=96, window=80, dtype="float32",
        layer_types="ssfsssf", stored_names=True, old_config=True),
    # Names that transformers has in memory, config as it writes it; window shorter than a picture.
    "tiny_resaved": dict(
        seed=3, hidden_size=96, intermediate_size=128, window=16, dtype="float32",
        layer_types="sfsf", stored_names=False, old_config=False),
    # bfloat16, with a hidden size whose square root is no bfloat16 number: the embedding scale is
    # 9.8125 where the model runs in bfloat16 and 9.797959 where it runs in float32.
    "tiny_bf16": dict(
        seed=5, hidden_size=96, intermediate_size=128, window=80, dtype="bfloat16",
        layer_types="ssfsf", stored_names=True, old_config=True),
    # Frames of 640 samples, as released, so that 30 seconds are 750 tokens.
    "tiny_sound": dict(
        seed=7, hidden_size=64, intermediate_size=96, window=80, dtype="float32",
        layer_types="sfsf", stored_names=True, old_config=True, frame=640),
}

# In-memory name -> name as stored in the released checkpoint.
STORED_NAMES = [
    ("model.embed_vision.multimodal_embedder.embedding_projection", "model.embed_vision.embedding_projection"),
    ("model.embed_vision.patch_ln1", "model.vision_embedder.patch_ln1"),
    ("model.embed_vision.patch_dense", "model.vision_embedder.patch_dense"),
    ("model.embed_vision.patch_ln2", "model.vision_embedder.patch_ln2"),
    ("model.embed_vision.pos_embedding", "model.vision_embedder.pos_embedding"),
    ("model.embed_vision.pos_norm", "model.vision_embedder.pos_norm"),
]


def stored_name(name):
    for memory, stored in STORED_NAMES:
        if name.startswith(memory):
            return stored + name[len(memory):]
    return name


def config_dict(spec):
    """config.json in the spelling of the released file."""
    return {
        "architectures": ["Gemma4UnifiedForConditionalGeneration"],
        "model_type": "gemma4_unified",
        "dtype": spec["dtype"],
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "boi_token_id": IDS["<|image>"],
        "eoi_token_id": IDS["<image|>"],
        "image_token_id": IDS["<|image|>"],
        "boa_token_id": IDS["<|audio>"],
        "eoa_token_index": IDS["<audio|>"],
        "audio_token_id": IDS["<|audio|>"],
        "video_token_id": IDS["<|video|>"],
        "eos_token_id": [IDS["<eos>"], IDS["<turn|>"]],
        "text_config": {
            "model_type": "gemma4_unified_text",
            "vocab_size": VOCAB,
            "vocab_size_per_layer_input": VOCAB,
            "hidden_size": spec["hidden_size"],
            "hidden_size_per_layer_input": 0,
            "intermediate_size": spec["intermediate_size"],
            "num_hidden_layers": len(spec["layer_types"]),
            "layer_types": [
                "sliding_attention" if t == "s" else "full_attention" for t in spec["layer_types"]],
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "num_global_key_value_heads": 1,
            "head_dim": 16,
            "global_head_dim": 32,
            "attention_k_eq_v": True,
            "num_kv_shared_layers": 0,
            "use_double_wide_mlp": False,
            "enable_moe_block": False,
            "num_experts": None,
            "top_k_experts": None,
            "moe_intermediate_size": None,
            "hidden_activation": "gelu_pytorch_tanh",
            "rms_norm_eps": 1e-6,
            "sliding_window": spec["window"],
            "max_position_embeddings": 4096,
            "attention_bias": False,
            "attention_dropout": 0.0,
            "final_logit_softcapping": 30.0,
            "use_bidirectional_attention": "vision",
            "tie_word_embeddings": True,
            "use_cache": True,
            "bos_token_id": IDS["<bos>"],
            "eos_token_id": IDS["<eos>"],
            "pad_token_id": IDS["<pad>"],
            "initializer_range": 0.02,
            "dtype": spec["dtype"],
            "rope_parameters": {
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
                "full_attention": {"rope_type": "proportional", "rope_theta": 1000000.0,
                                   "partial_rotary_factor": 0.25},
            },
        },
        "vision_config": {
            "model_type": "gemma4_unified_vision",
            "patch_size": 4,
            "pooling_kernel_size": 3,
            "model_patch_size": 12,
            "mm_embed_dim": spec["hidden_size"],
            "mm_posemb_size": 80,
            "num_soft_tokens": 70,
            "output_proj_dims": spec["hidden_size"],
            "rms_norm_eps": 1e-6,
            "initializer_range": 0.02,
            "dtype": spec["dtype"],
        },
        "audio_config": {
            "model_type": "gemma4_unified_audio",
            "audio_embed_dim": spec.get("frame", 32),
            "audio_samples_per_token": spec.get("frame", 32),
            "hidden_size": spec.get("frame", 32),
            "output_proj_dims": spec.get("frame", 32),
            "rms_norm_eps": 1e-6,
            "initializer_range": 0.02,
            "dtype": spec["dtype"],
        },
        "transformers_version": "5.18.0",
    }


def processor_config(spec):
    """processor_config.json of the released model, with the small geometry."""
    image = {
        "image_processor_type": "Gemma4UnifiedImageProcessor",
        "do_convert_rgb": True, "do_normalize": False, "do_rescale": True, "do_resize": True,
        "image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0],
        "max_soft_tokens": 70, "patch_size": 4, "pooling_kernel_size": 3,
        "resample": 3, "rescale_factor": 1 / 255,
    }
    video = dict(image, do_normalize=True, do_sample_frames=True, num_frames=4)
    del video["image_processor_type"]
    video["video_processor_type"] = "Gemma4UnifiedVideoProcessor"
    return {
        "processor_class": "Gemma4UnifiedProcessor",
        "image_seq_length": 70, "audio_seq_length": 750, "audio_ms_per_token": 40,
        "image_processor": image,
        "video_processor": video,
        "feature_extractor": {
            "feature_extractor_type": "Gemma4UnifiedAudioFeatureExtractor",
            "audio_samples_per_token": spec.get("frame", 32), "feature_size": spec.get("frame", 32),
            "padding_side": "right",
            "padding_value": 0.0, "return_attention_mask": True, "sampling_rate": 16000,
        },
    }


def generation_config():
    return {
        "bos_token_id": IDS["<bos>"],
        "eos_token_id": [IDS["<eos>"], IDS["<turn|>"], IDS["<|tool_response>"]],
        "pad_token_id": IDS["<pad>"],
        "do_sample": True,
        "temperature": 1.0,
        "top_k": 64,
        "top_p": 0.95,
        "suppress_tokens": [IDS["<audio|>"], IDS["<image|>"]],
        "transformers_version": "5.18.0",
    }


def random_state(model, seed):
    """Weights drawn in the order of sorted names. Scales are chosen so that attention is neither
    uniform nor one-hot, every residual branch is of the size of the stream, and logits spread over
    several units below the soft cap."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, old in sorted(model.state_dict().items()):
        if name == "lm_head.weight":
            continue
        noise = torch.randn(old.shape, generator=generator, dtype=torch.float32)
        if name.endswith("layer_scalar"):
            new = 0.5 + torch.rand(old.shape, generator=generator, dtype=torch.float32)
        elif name.endswith(("q_norm.weight", "k_norm.weight")):
            new = 0.8 + 0.2 * noise
        elif name.endswith(("post_attention_layernorm.weight", "post_feedforward_layernorm.weight")):
            new = 4.0 + 0.8 * noise
        elif name.endswith(("patch_ln1.weight", "patch_ln2.weight", "pos_norm.weight")) or (
                "norm" in name and name.endswith("weight")):
            new = 1.0 + 0.3 * noise
        elif name.endswith("bias"):
            new = 0.3 * noise
        elif name.endswith("embed_tokens.weight"):
            new = 0.25 * noise
        elif name.endswith("pos_embedding"):
            new = 0.7 * noise
        elif name.endswith("embedding_projection.weight"):
            new = noise * (2.5 / old.shape[1] ** 0.5)
        else:
            new = noise * (1.3 / old.shape[1] ** 0.5)
        state[name] = new
    return state


def write_model(directory, spec):
    directory = pathlib.Path(directory)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = Gemma4UnifiedConfig(**config_dict(spec))
    model = Gemma4UnifiedForConditionalGeneration(config)
    dtype = getattr(torch, spec["dtype"])
    state = {k: v.to(dtype) for k, v in random_state(model, spec["seed"]).items()}
    if spec["stored_names"]:
        state = {stored_name(k): v for k, v in state.items()}
    save_file(state, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "model.safetensors").chmod(0o644)
    if spec["old_config"]:
        config_json = config_dict(spec)
    else:
        config_json = json.loads(config.to_json_string())
        config_json["architectures"] = ["Gemma4UnifiedForConditionalGeneration"]
    for name, value in [("config.json", config_json), ("processor_config.json", processor_config(spec)),
                        ("generation_config.json", generation_config())]:
        (directory / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    make_tokenizer.write(directory, VOCAB, LONGEST_RUN, EXTRA_CHARACTERS)
    shutil.copyfile(HERE / "chat_template.jinja", directory / "chat_template.jinja")
    check_model(directory, state, spec)


def check_model(directory, state, spec):
    """transformers loads the directory without a missing, unexpected or changed tensor."""
    loaded, info = Gemma4UnifiedForConditionalGeneration.from_pretrained(
        directory, dtype=getattr(torch, spec["dtype"]), output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    have = loaded.state_dict()
    for name, value in state.items():
        memory = name
        for in_memory, stored in STORED_NAMES:
            if spec["stored_names"] and name.startswith(stored):
                memory = in_memory + name[len(stored):]
        assert torch.equal(have[memory], value), name


def make(out):
    be_deterministic()
    for name, spec in MODELS.items():
        write_model(pathlib.Path(out) / "models" / name, spec)


if __name__ == "__main__":
    import sys

    make(sys.argv[1])
