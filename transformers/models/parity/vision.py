"""Makes the tiny networks of images: python vision.py [NAME...]

Needs torch and transformers (made with 2.15 and 5.23). golden.json has the
seed of an image, which the test draws again, and the logits for it; for CLIP
also texts and the products.
"""
import sys

import torch
import transformers as tf

from tiny import HERE, numbers, randomize, save

VIT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40, image_size=24, patch_size=8, num_labels=5)
SIDE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40)

MODELS = {
    "vit": (lambda: tf.ViTForImageClassification(tf.ViTConfig(**VIT)), (24, 24)),
    "resnet": (lambda: tf.ResNetForImageClassification(tf.ResNetConfig(embedding_size=8, hidden_sizes=[16, 24], depths=[1, 2], num_labels=5)), (45, 38)),
    "resnet-basic": (lambda: tf.ResNetForImageClassification(tf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[2, 1], layer_type="basic",
        downsample_in_first_stage=True, num_labels=5)), (40, 40)),
    "convnext": (lambda: tf.ConvNextForImageClassification(tf.ConvNextConfig(hidden_sizes=[8, 16], depths=[2, 1], num_stages=2, num_labels=5)), (37, 50)),
}


def image(height, width, seed=1):
    """Pixels from a generator that is written the same way in Go."""
    state, out = seed, []
    for _ in range(3 * height * width):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(state / 2**31 - 1)
    return torch.tensor(out, dtype=torch.float32).reshape(1, 3, height, width)


def settle(model, seed):
    """Gives batch norms statistics that matter, within the range of trained ones."""
    g = torch.Generator().manual_seed(seed)
    for name, b in model.named_buffers():
        if name.endswith("running_mean"):
            b.copy_(0.2 * torch.randn(b.shape, generator=g))
        if name.endswith("running_var"):
            b.copy_(0.5 + torch.rand(b.shape, generator=g))
    return model


if __name__ == "__main__":
    for i, (name, (build, (height, width))) in enumerate(MODELS.items()):
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        model = settle(randomize(build(), seed=3000 + i, scale=0.15), 3100 + i)
        with torch.no_grad():
            logits = model(image(height, width)).logits
        save(model, HERE / "testdata" / name, dict(height=height, width=width, logits=numbers(logits[0])))
    if len(sys.argv) == 1 or "clip" in sys.argv[1:]:
        model = randomize(tf.CLIPModel(tf.CLIPConfig(
            text_config=dict(**SIDE, vocab_size=64, max_position_embeddings=16, bos_token_id=61, eos_token_id=62, pad_token_id=62),
            vision_config=dict(**SIDE, image_size=24, patch_size=8), projection_dim=16)), seed=3200)
        texts = [[61, 5, 9, 33, 20, 62], [61, 40, 62]]
        with torch.no_grad():
            products = [model(input_ids=torch.tensor([t]), pixel_values=image(24, 24)).logits_per_image[0, 0].item() for t in texts]
        save(model, HERE / "testdata" / "clip", dict(height=24, width=24, texts=texts, products=products))
