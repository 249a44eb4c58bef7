"""Turn a vision model into ONNX, in a process of its own.

    python -m aisle.represent.export_image --source FOLDER --out FOLDER --name NAME --model NAME --source-hash HEX

CLIP and SigLIP give their image features, other models what they pool, else the
mean of their tokens or places. How pictures are prepared is read from the
model's own processor. The export is accepted only when files to vectors, both
together, agree with the original.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.errors import ModelError
from aisle.represent.card import MODEL_FILE, ImageCard, sha256_of
from aisle.represent.exporting import LEAST_PARITY, flat_vector, main_of, parity_of, read_network
from aisle.represent.pixels import prepared

_OPSET = 17


def export_image_encoder(source: Path, out: Path, *, name: str, model: str, source_hash: str) -> ImageCard:
    """Write model.onnx and card.json into the empty folder `out`.

    Raises ModelError when the model cannot be exported or the export disagrees with it.
    """
    import torch

    warnings.simplefilter("ignore")
    processor = _processor(source)
    draft = ImageCard(
        name=name, model=model, source_hash=source_hash, dim=0, parity=0.0, files={}, **_preparation(source, processor)
    )
    network = _image_network(read_network(source))
    pictures = _pictures()
    expected = []
    for picture in pictures:
        given = processor(images=picture, return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            expected.append(network(given).numpy())
    pixels = torch.from_numpy(prepared(pictures[:2], draft))
    try:
        torch.onnx.export(
            network, (pixels,), str(out / MODEL_FILE), input_names=["pixels"], output_names=["vector"],
            dynamic_axes={"pixels": {0: "images"}, "vector": {0: "images"}}, opset_version=_OPSET, dynamo=False,
        )  # fmt: skip
        parity = parity_of(out / MODEL_FILE, "pixels", [prepared([picture], draft) for picture in pictures], expected)
    except Exception as error:  # what an exporter raises is not specified
        raise ModelError(f"{source}: cannot be exported to ONNX: {type(error).__name__}: {error}") from error
    if parity < LEAST_PARITY:
        raise ModelError(f"{source}: cosine {parity:.4f} with the original, below {LEAST_PARITY}")
    card = ImageCard(
        name=name, model=model, source_hash=source_hash, dim=int(expected[0].shape[1]), parity=round(parity, 6),
        files={MODEL_FILE: sha256_of(out / MODEL_FILE)}, **_preparation(source, processor),
    )  # fmt: skip
    card.write(out)
    return card


def _processor(source: Path) -> Any:
    """The model's own image processor; the one of Pillow, for torchvision need not be there."""
    from transformers import AutoImageProcessor

    reader: Any = AutoImageProcessor  # its annotations are incomplete

    try:
        return reader.from_pretrained(source, backend="pil", local_files_only=True)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise ModelError(f"{source}: no image processor that can be read ({error})") from error


def _preparation(source: Path, processor: Any) -> dict[str, Any]:
    """Resizing, cropping, scaling of a processor. Raises ModelError for one that does more."""
    given = processor.to_dict()
    size, crop = given.get("size") or {}, given.get("crop_size") or {}
    if not given.get("do_resize", True):
        raise ModelError(f"{source}: its processor does not resize; this encoder cannot be used")
    found: dict[str, Any] = {"resample": int(given.get("resample", 2))}
    if "height" in size and "width" in size:
        found |= {"height": int(size["height"]), "width": int(size["width"])}
    elif "shortest_edge" in size and given.get("do_center_crop") and "height" in crop:
        edge = int(size["shortest_edge"])
        found |= {"height": int(crop["height"]), "width": int(crop["width"]), "shortest_edge": edge}
    else:
        raise ModelError(f"{source}: its processor resizes to {size or 'nothing'}, which is not supported")
    found["scale"] = float(given.get("rescale_factor", 1 / 255)) if given.get("do_rescale", True) else 1.0
    normal = given.get("do_normalize", True)
    found["mean"] = [float(v) for v in given["image_mean"]] if normal else [0.0, 0.0, 0.0]
    found["std"] = [float(v) for v in given["image_std"]] if normal else [1.0, 1.0, 1.0]
    return found


def _image_network(network: Any) -> Any:
    """Pixels float32[n, 3, h, w] to unit vectors float32[n, dim]."""
    import torch

    class ImageNetwork(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            if hasattr(self.network, "get_image_features"):
                return flat_vector(self.network.get_image_features(pixel_values=pixels))
            return flat_vector(self.network(pixel_values=pixels))

    return ImageNetwork().eval()


def _pictures() -> list[NDArray[np.uint8]]:
    """A few pictures of different shapes: smooth shades, edges and noise, as photos have."""
    rng = np.random.default_rng(0)
    found = []
    for height, width in ((64, 64), (300, 200), (180, 321), (512, 512)):
        y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        waves = [np.sin(6 * (a * x + b * y) + c) for a, b, c in rng.uniform(-3, 3, (3, 3))]
        picture = 127 + 80 * np.stack(waves, 2) + rng.normal(0, 10, (height, width, 3))
        picture[height // 4 : height // 2, width // 4 : width // 2] = rng.uniform(0, 255, 3)
        found.append(np.clip(picture, 0, 255).astype(np.uint8))
    return found


if __name__ == "__main__":
    sys.exit(main_of(export_image_encoder, __doc__))
