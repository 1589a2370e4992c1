"""Writes the golden outputs of this package's tests, and of package jpeg's.

Needs Pillow, numpy, torch, torchvision and transformers 5; run it in
transformers/image. The tests need none of them: pictures are made by the same
integer formulas on both sides (picture below, picture in picture_test.go), and
only hashes of the results are kept.
"""
import hashlib, io, json, os, struct, tempfile, zlib

import numpy as np
import PIL, torch, torchvision, transformers
from PIL import Image, ImageOps
from torchvision.transforms.v2 import functional as tvF
from torchvision.transforms import InterpolationMode
from transformers import AutoImageProcessor
from transformers.image_utils import load_image


def picture(kind, w, h):
    """An RGB picture, (h, w, 3) uint8."""
    y, x = np.mgrid[0:h, 0:w].astype(np.uint32)
    if kind == "gradient":
        p = [x * 255 // max(w - 1, 1), y * 255 // max(h - 1, 1), (x + y) * 255 // max(w + h - 2, 1)]
    elif kind == "noise":
        n = np.arange(1, w * h * 3 + 1, dtype=np.uint32) * np.uint32(2654435761)
        n ^= n >> np.uint32(15)
        n *= np.uint32(2246822519)
        return (n >> np.uint32(24)).astype(np.uint8).reshape(h, w, 3)
    else:  # edges like those of text
        p = [(x // 3 + y // 5) % 2 * 255, x // 7 % 2 * 200, y // 4 % 3 * 120]
    return np.stack(p, -1).astype(np.uint8)


def sha(a):
    return hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()[:32]


SIZES = [(1, 1), (1, 500), (500, 1), (37, 91), (91, 37), (224, 224), (257, 256), (640, 480)]
KINDS = ["gradient", "noise", "edges"]

# Resampling ---------------------------------------------------------------

TORCH = {0: InterpolationMode.NEAREST_EXACT, 1: InterpolationMode.LANCZOS, 2: InterpolationMode.BILINEAR, 3: InterpolationMode.BICUBIC}


def resample_goldens():
    out = []
    for w, h in SIZES:
        for tw, th in [(1, 1), (7, 5), (224, 224), (91, 37), (37, 224), (w, 50), (50, h), (640, 480)]:
            for r in range(6):
                pictures = [picture(kind, w, h) for kind in KINDS]
                row = {"from": [w, h], "to": [tw, th], "resample": r}
                row["pil"] = sha(np.stack([Image.fromarray(a).resize((tw, th), r) for a in pictures]))
                if r in TORCH and (tw, th) != (1, 1):  # torch 2.15 fails for one pixel
                    tensors = [torch.from_numpy(a).permute(2, 0, 1).contiguous()[None] for a in pictures]
                    resized = [tvF.resize(t, [th, tw], interpolation=TORCH[r], antialias=True) for t in tensors]
                    row["torchvision"] = sha(torch.cat(resized).permute(0, 2, 3, 1).numpy())
                out.append(row)
    return out


# Processors ---------------------------------------------------------------

CONFIGS = {
    "vit v5": ({"image_processor_type": "ViTImageProcessor"}, None, "vit"),
    "vit v4": ({"do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "ViTImageProcessor",
                "image_std": [0.5, 0.5, 0.5], "resample": 2, "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}}, None, "vit"),
    "vit old": ({"do_normalize": True, "do_resize": True, "feature_extractor_type": "ViTFeatureExtractor", "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "size": 224}, None, "vit"),
    "vit no class": ({"do_normalize": True, "do_resize": True, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "size": 96}, None, "vit"),
    "vit fast": ({"image_processor_type": "ViTImageProcessorFast", "size": {"height": 50, "width": 70}, "resample": 0}, None, "vit"),
    "vit rescale only": ({"image_processor_type": "ViTImageProcessor", "do_normalize": False, "size": {"height": 32, "width": 32}}, None, "vit"),
    "vit normalize only": ({"image_processor_type": "ViTImageProcessor", "do_rescale": False, "size": {"height": 32, "width": 32}, "image_mean": [127.5, 120, 110.25], "image_std": [58, 57.5, 60]}, None, "vit"),
    "vit neither": ({"image_processor_type": "ViTImageProcessor", "do_rescale": False, "do_normalize": False, "size": [40, 30]}, None, "vit"),
    "vit odd factor": ({"image_processor_type": "ViTImageProcessor", "rescale_factor": 0.00784313725490196, "size": {"height": 32, "width": 32}}, None, "vit"),
    "deit": ({"crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True, "feature_extractor_type": "DeiTFeatureExtractor", "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": 256}, None, "deit"),
    "clip old": ({"crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True, "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "size": 224}, None, "clip"),
    "clip nested": (None, {"image_processor": {"crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
                                               "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "CLIPImageProcessor", "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 224}},
                           "processor_class": "CLIPProcessor"}, "clip"),
    "clip odd crop": ({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 64}, "crop_size": {"height": 101, "width": 97}}, None, "clip"),
    "clip both edges": ({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 64, "longest_edge": 90}, "crop_size": {"height": 60, "width": 60}}, None, "clip"),
    "clip no crop": ({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 30}, "do_center_crop": False}, None, "clip"),
    "clip no resize": ({"image_processor_type": "CLIPImageProcessor", "do_resize": False, "crop_size": 75}, None, "clip"),
    "resnet": ({"crop_pct": 0.875, "do_normalize": True, "do_resize": True, "feature_extractor_type": "ConvNextFeatureExtractor", "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": 224}, None, "resnet"),
    "convnext large": ({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}, "crop_pct": None}, None, "convnext"),
    "convnext odd": ({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 111}, "crop_pct": 0.9}, None, "convnextv2"),
    "beit": ({"image_processor_type": "BeitImageProcessor", "do_center_crop": False, "size": {"height": 64, "width": 64}}, None, "beit"),
    "bit": ({"image_processor_type": "BitImageProcessor"}, None, "bit"),
    "pvt": ({"image_processor_type": "PvtImageProcessor"}, None, "pvt"),
    "siglip": ({"image_processor_type": "SiglipImageProcessor", "resample": 1}, None, "siglip"),
}


def processor_goldens():
    out = []
    for name, (pre, proc, model_type) in CONFIGS.items():
        with tempfile.TemporaryDirectory() as d:
            for file, content in [("preprocessor_config.json", pre), ("processor_config.json", proc), ("config.json", {"model_type": model_type})]:
                if content is not None:
                    json.dump(content, open(os.path.join(d, file), "w"))
            if proc is not None:
                json.dump({}, open(os.path.join(d, "preprocessor_config.json"), "w"))
            default = AutoImageProcessor.from_pretrained(d).backend
            row = {"name": name, "preprocessor": pre, "processor": proc, "model_type": model_type, "default": default, "results": []}
            for backend in ["torchvision", "pil"]:
                p = AutoImageProcessor.from_pretrained(d, backend=backend)
                assert p.backend == backend
                for w, h in SIZES[1:]:
                    if name in ("clip no crop", "clip both edges") and 1 in (w, h):
                        continue  # too large for a test; no pixels left, an error there too
                    images = [Image.fromarray(picture(kind, w, h)) for kind in ["noise", "edges"]]
                    v = p(images, return_tensors="np")["pixel_values"].astype(np.float32)
                    at = [0, v.size // 5, v.size // 3]
                    row["results"].append({"backend": backend, "from": [w, h], "shape": list(v.shape[1:]), "sha256": sha(v), "at": at, "samples": [float(v.flat[i]) for i in at]})
            out.append(row)
    return out


# Files --------------------------------------------------------------------

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(w, h, depth, colour, rows, extra=()):
    raw = b"".join(b"\0" + r for r in rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0)) + b"".join(chunk(*e) for e in extra) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def exif(orientation, order="<"):
    return struct.pack(order + "2sHIHHHIHHI", b"II" if order == "<" else b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def webp_vp8x(chunks, flags, w, h):
    body = b"".join(n + struct.pack("<I", len(d)) + d + b"\0" * (len(d) % 2) for n, d in [(b"VP8X", bytes([flags, 0, 0, 0]) + (w - 1).to_bytes(3, "little") + (h - 1).to_bytes(3, "little"))] + chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def bmp(w, h, depth, compression, rows, extra=b"", palette=b"", top_down=False, core=False):
    head = struct.pack("<IHHHH", 12, w, h, 1, depth) if core else struct.pack("<IiiHHIIiiII", 40, w, -h if top_down else h, 1, depth, compression, 0, 0, 0, 0, 0)
    body = b"".join(r + b"\0" * (-len(r) % 4) for r in rows)
    offset = 14 + len(head) + len(extra) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + head + extra + palette + body


def encoded(kind, w, h, fmt, mode="RGB", **kw):
    b = io.BytesIO()
    Image.fromarray(picture(kind, w, h)).convert(mode).save(b, fmt, **kw)
    return b.getvalue()


def files():
    noise = picture("noise", 19, 13)
    row16 = [np.frombuffer(picture("noise", 19, 13)[y].tobytes(), np.uint8).tobytes() for y in range(13)]
    out = {}
    for mode in ["1", "L", "P", "LA", "RGB", "RGBA"]:
        out[f"mode-{mode}.png"] = encoded("noise", 19, 13, "PNG", mode)
    for depth in [2, 4]:
        out[f"grey-{depth}.png"] = png(19, 13, depth, 0, [r[: (19 * depth + 7) // 8] for r in row16])
        out[f"palette-{depth}-short.png"] = png(19, 13, depth, 3, [r[: (19 * depth + 7) // 8] for r in row16], [(b"PLTE", bytes([9, 8, 7, 200, 100, 50, 1, 2, 3]))])
    out["grey-16.png"] = png(9, 13, 16, 0, [bytes([0, 1]) + r[2:18] for r in row16])
    out["grey-16-transparent.png"] = png(9, 13, 16, 0, [bytes([0, 1]) + r[2:18] for r in row16], [(b"tRNS", b"\0\1")])
    out["grey-alpha-16.png"] = png(9, 13, 16, 4, [r[:36] for r in row16])
    out["rgb-16.png"] = png(9, 13, 16, 2, [r[:54] for r in row16])
    out["rgba-16.png"] = png(7, 13, 16, 6, [r[:56] for r in row16])
    out["rgb-transparent.png"] = png(19, 13, 8, 2, row16, [(b"tRNS", b"\0" + row16[0][:1] + b"\0" + row16[0][1:2] + b"\0" + row16[0][2:3])])
    out["palette-transparent.png"] = png(19, 13, 8, 3, [bytes(v % 4 for v in r[:19]) for r in row16], [(b"PLTE", bytes(range(12))), (b"tRNS", b"\0\x80")])
    out["exif.png"] = png(19, 13, 8, 2, row16, [(b"eXIf", exif(6))])
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
    out["xmp.png"] = png(19, 13, 8, 2, row16, [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)])
    for o in range(0, 10):
        out[f"orientation-{o}.jpg"] = encoded("noise", 19, 13, "JPEG", quality=40, exif=b"Exif\0\0" + exif(o, "<" if o % 2 else ">"))
    out["xmp.jpg"] = encoded("noise", 19, 13, "JPEG", quality=40, xmp=xmp)
    out["grey.jpg"] = encoded("edges", 37, 91, "JPEG", "L")
    out["cmyk.jpg"] = encoded("noise", 37, 21, "JPEG", "CMYK")
    for n in range(4):
        w, h = [(19, 13), (20, 14), (1, 1), (64, 47)][n]
        out[f"lossy-{n}.webp"] = encoded(KINDS[n % 3], w, h, "WEBP", quality=60)
        out[f"lossless-{n}.webp"] = encoded(KINDS[n % 3], w, h, "WEBP", lossless=True)
    b = io.BytesIO()
    rgba = Image.fromarray(np.concatenate([picture("noise", 33, 20), picture("gradient", 33, 20)[..., :1]], -1))
    rgba.save(b, "WEBP", quality=50)
    out["alpha.webp"] = b.getvalue()
    b = io.BytesIO()
    rgba.save(b, "WEBP", lossless=True)
    out["alpha-lossless.webp"] = b.getvalue()
    b = io.BytesIO()
    rgba.save(b, "WEBP", save_all=True, append_images=[rgba.rotate(180)], duration=100)
    out["animation.webp"] = b.getvalue()
    simple = out["lossy-1.webp"][12:]
    frame = (2).to_bytes(3, "little") + (3).to_bytes(3, "little") + (19).to_bytes(3, "little") + (13).to_bytes(3, "little") + b"\x64\0\0\2" + simple
    out["animation-offset.webp"] = webp_vp8x([(b"ANIM", b"\xff\xff\xff\xff\0\0"), (b"ANMF", frame)], 2, 30, 25)
    out["exif.webp"] = encoded("noise", 19, 13, "WEBP", lossless=True, exif=b"Exif\0\0" + exif(3))
    out["palette.gif"] = encoded("edges", 37, 21, "GIF")
    out["grey.gif"] = encoded("gradient", 37, 21, "GIF", "L")
    out["interlaced.gif"] = encoded("edges", 37, 21, "GIF", interlace=True)
    b = io.BytesIO()
    frames = [Image.fromarray(picture(k, 30, 20)) for k in KINDS]
    frames[0].save(b, "GIF", save_all=True, append_images=frames[1:], duration=50)
    out["animation.gif"] = b.getvalue()
    small = out["palette.gif"]
    at = small.index(b",\0\0\0\0")
    screen = small[:6] + struct.pack("<HH", 45, 30)
    moved = small[10:at] + b"," + struct.pack("<HH", 5, 4) + small[at + 5:]
    out["offset.gif"] = screen + moved
    out["offset-transparent.gif"] = screen + small[10:at] + b"!\xf9\4\1\0\0\1\0," + struct.pack("<HH", 5, 4) + small[at + 5:]
    out["grows.gif"] = small[:6] + struct.pack("<HH", 10, 10) + moved
    for name in ["palette.gif", "grey.gif"]:  # fewer colours than indices
        data = out[name]
        out["short-" + name] = data[:10] + bytes([data[10] & 0xF8]) + data[11:19] + data[13 + (6 << (data[10] & 7)):]
    for mode in ["1", "L", "P", "RGB", "RGBA"]:
        out[f"mode-{mode}.bmp"] = encoded("noise", 19, 13, "BMP", mode)
    rows = [r[:38] for r in row16]
    out["555.bmp"] = bmp(19, 13, 16, 0, rows)
    out["565.bmp"] = bmp(19, 13, 16, 3, rows, struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    out["4.bmp"] = bmp(19, 13, 4, 0, [r[:10] for r in row16], palette=bytes(range(64)))
    for name, palette in [("short", b"\1\2\3\0" * 3), ("short-grey", b"\0\0\0\0\1\1\1\0\2\2\2\0")]:
        data = bmp(19, 13, 8, 0, [r[:19] for r in row16], palette=palette)
        out[name + ".bmp"] = data[:46] + b"\3" + data[47:]
    out["top-down.bmp"] = bmp(19, 13, 24, 0, row16, top_down=True)
    out["core.bmp"] = bmp(19, 13, 8, 0, [r[:19] for r in row16], palette=bytes(i * 7 % 256 for i in range(768)), core=True)
    out["32-masks.bmp"] = bmp(9, 13, 32, 3, [r[:36] for r in row16], struct.pack("<III", 0xFF000000, 0xFF0000, 0xFF00))
    return out


def file_goldens():
    out = {}
    for name, data in files().items():
        path = os.path.join("testdata/files", name)
        open(path, "wb").write(data)
        a = np.asarray(load_image(path))
        out[name] = {"size": [a.shape[1], a.shape[0]], "sha256": sha(a)}
    return out


# JPEG ---------------------------------------------------------------------

def patched(data, factors, w, h):
    """Other sampling factors with as many blocks per MCU: a picture of other proportions."""
    b, i = bytearray(data), 2
    while b[i + 1] not in (0xC0, 0xC2):
        i += 2 + b[i + 2] * 256 + b[i + 3]
    b[i + 5 : i + 9] = struct.pack(">HH", h, w)
    for k, f in enumerate(factors):
        b[i + 11 + 3 * k] = f
    return bytes(b)


def jpeg_files():
    out = {}
    n = 0
    for w, h in [(1, 1), (3, 2), (37, 91), (1, 100), (65, 33)]:
        for subsampling in [0, 1, 2]:
            for progressive in [False, True]:
                n += 1
                kw = {"restart_marker_blocks": 2} if n % 3 == 0 else {}
                out[f"{w}x{h}-{subsampling}{'-progressive' if progressive else ''}.jpg"] = encoded(
                    KINDS[n % 3], w, h, "JPEG", quality=[20, 75, 95, 100][n % 4], subsampling=subsampling, progressive=progressive, optimize=n % 2 == 0, **kw)
    out["640x480.jpg"] = encoded("gradient", 640, 480, "JPEG", quality=75)
    out["noise.jpg"] = encoded("noise", 120, 90, "JPEG", quality=75)
    out["noise-progressive.jpg"] = encoded("noise", 90, 120, "JPEG", quality=50, progressive=True)
    out["rgb.jpg"] = encoded("noise", 20, 30, "JPEG", keep_rgb=True)
    for mode in ["L", "CMYK"]:
        out[f"{mode}.jpg"] = encoded("edges", 37, 41, "JPEG", mode)
        out[f"{mode}-progressive.jpg"] = encoded("noise", 17, 21, "JPEG", mode, progressive=True)
    for name, subsampling, base, factors in [("411", 2, (32, 32), [0x41, 0x11, 0x11]), ("1x4", 2, (32, 32), [0x14, 0x11, 0x11]), ("440", 1, (32, 16), [0x12, 0x11, 0x11])]:
        data = encoded("noise", *base, "JPEG", subsampling=subsampling, quality=60)
        fh, fv = factors[0] >> 4, factors[0] & 15
        out[f"{name}.jpg"] = patched(data, factors, 16 * fh - 3, 16 * fv - 5)
    adobe = encoded("noise", 20, 15, "JPEG", "CMYK", quality=60)
    at = adobe.index(b"Adobe") + 11
    out["ycck.jpg"] = adobe[:at] + b"\2" + adobe[at + 1:]
    return out


def jpeg_goldens():
    out = {}
    for name, data in jpeg_files().items():
        open(os.path.join("jpeg/testdata", name), "wb").write(data)
        image = Image.open(io.BytesIO(data))
        a = np.asarray(image)
        if image.mode == "CMYK":
            a = 255 - a  # Pillow takes Adobe's inversion back
        out[name] = {"size": list(image.size), "components": len(image.getbands()), "sha256": sha(a)}
    return out


if __name__ == "__main__":
    versions = {"pillow": PIL.__version__, "torch": torch.__version__, "torchvision": torchvision.__version__, "transformers": transformers.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}
    for path, goldens in [("testdata/resample.json", resample_goldens), ("testdata/processors.json", processor_goldens), ("testdata/files.json", file_goldens), ("jpeg/testdata/goldens.json", jpeg_goldens)]:
        content = {"versions": versions, "goldens": goldens()}
        text = json.dumps(content, separators=(",", ":"), sort_keys=True).replace("},{", "},\n{").replace("},\"", "},\n\"")
        open(path, "w").write(text + "\n")
