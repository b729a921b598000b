"""One HTML file that holds a whole classifier: it answers offline, on whatever opens a page.

The network is computed by TensorFlow.js' WebAssembly kernels (`page/vendor/`), one call for each
of our layers: they are a tenth of the size of ONNX Runtime Web, need neither a GPU nor a server,
and give the same figures on every device.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np

from catsdogs import __version__
from catsdogs.config import Fit
from catsdogs.data.framing import MEAN_COLOUR
from catsdogs.errors import CatsdogsError
from catsdogs.exporting.stored_weights import Precision, kernel_channel_axis, store_array
from catsdogs.logo import logo_uri
from catsdogs.model.known_photos import ARRAYS, KnownPhotos
from catsdogs.model.refusal import NEITHER
from catsdogs.network import layers
from catsdogs.network.network import Network, pooling_layer

_PAGE = files("catsdogs.exporting") / "page"
_SCRIPTS = (
    "vendor/tf-core.es2017.min.js",
    "vendor/tf-backend-wasm.es2017.min.js",
    "resize.js",
    "network.js",
    "known_photos.js",
    "page.js",
)
_KERNELS = "vendor/tfjs-backend-wasm-simd.wasm"
_ALIGNMENT = 4  # bytes: what a typed array may begin at


@dataclass(frozen=True)
class PageFacts:
    """What a page says and does besides computing.

    Attributes:
        title: in large letters at its top.
        class_names: in the order of the output.
        fit: how a photo is brought to the network's size.
        about: names and values for the curious.
        unknown: share of ordinary photos that may be refused; 0 refuses none.
        known: what photos look like to the model; needed where `unknown` is not 0.
        neither: what a refused photo is called.
    """

    title: str
    class_names: tuple[str, ...]
    fit: Fit = "stretch"
    about: Mapping[str, str] | None = None
    unknown: float = 0.0
    known: KnownPhotos | None = None
    neither: str = NEITHER


def page(network: Network, facts: PageFacts, precision: Precision = "float16") -> str:
    """Write the page.

    Args:
        network: folded (see `network/folding.py`), raw RGB to probabilities.
        facts: what it says.
        precision: what kernels are kept in; they are multiplied as float32.

    Raises:
        CatsdogsError: the network has a layer that the page cannot compute.
    """
    ops, arrays = _described(network, precision)
    pooled, refusal = None, None
    if facts.unknown and facts.known is not None:
        pooled = network.layers.index(pooling_layer(network))
        refusal = {
            "share": facts.unknown,
            "name": facts.neither,
            "arrays": {name: len(arrays) + index for index, name in enumerate(ARRAYS)},
        }
        arrays += [(getattr(facts.known, name), np.empty(0)) for name in ARRAYS]
    table, content = _packed(arrays)
    rows, columns, _ = network.input.shape
    description = {
        "image_size": [rows, columns],
        "class_names": list(facts.class_names),
        "fit": facts.fit,
        "fill": list(MEAN_COLOUR),
        "pooled": pooled,
        "refusal": refusal,
        "layers": ops,
        "weights": table,
    }
    style = _text("page.css")
    scripts = [_text(name) for name in _SCRIPTS]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_text("page.html")).render(
        title=facts.title,
        version=__version__,
        icon=logo_uri(),
        policy=_policy(style, scripts),
        facts=list((facts.about or {}).items()),
        style=_verbatim(style),
        scripts=[_verbatim(script) for script in scripts],
        network=_verbatim(_json(description)),
        weights=_verbatim(base64.b64encode(content).decode()),
        kernels=_verbatim(base64.b64encode((_PAGE / _KERNELS).read_bytes()).decode()),
    )


def _text(name: str) -> str:
    text = (_PAGE / name).read_text(encoding="utf-8")
    # a map for debuggers, which would have to be loaded from somewhere
    return "\n".join(line for line in text.splitlines() if "sourceMappingURL" not in line)


def _verbatim(text: str) -> Any:
    """Text that stands in the page as it is."""
    if "</script" in text.lower() or "</style" in text.lower() or "<!--" in text:
        raise CatsdogsError("a part of the page would end its script: this is a fault of catsdogs")
    return jinja2.utils.markupsafe.Markup(text)


def _json(value: Any) -> str:
    """JSON that no name in it can end the script of."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _policy(style: str, scripts: Sequence[str]) -> str:
    """A content security policy that lets run what is in the page, and load or send nothing."""

    def allowed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(allowed, scripts))} 'wasm-unsafe-eval'",
            f"style-src {allowed(style)}",
            "img-src blob: data:",
            "media-src blob: mediastream:",
            "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _described(
    network: Network, precision: Precision
) -> tuple[list[dict[str, Any]], list[tuple[np.ndarray, np.ndarray]]]:
    """Each layer as the page's `network.js` knows it, and the arrays that they point to."""
    places = {layer.name: index for index, layer in enumerate(network.layers)}
    arrays: list[tuple[np.ndarray, np.ndarray]] = []
    ops = []
    for layer in network.layers:
        shapes = [network.shapes[name] for name in layer.inputs]
        op = {"inputs": [places[name] for name in layer.inputs], **_op(layer, shapes)}
        if layer.name in network.weights:
            kernel, bias = network.weights[layer.name]
            stored = store_array(kernel, precision, kernel_channel_axis(layer))
            op["weights"] = [len(arrays), len(arrays) + 1]
            arrays += [(stored.values, stored.scales), (bias.astype(np.float32), np.empty(0))]
        ops.append(op)
    return ops, arrays


def _op(layer: layers.Layer, shapes: list[layers.Shape]) -> dict[str, Any]:
    match layer:
        case layers.Input():
            return {"op": "input"}
        case layers.Rescaling():
            return {"op": "scale", "scale": list(layer.scale), "offset": list(layer.offset)}
        case layers.ZeroPadding():
            return {"op": "pad", "pads": _pads(layer.pads)}
        case layers.Convolution() | layers.DepthwiseConvolution():
            kind = "convolution" if isinstance(layer, layers.Convolution) else "depthwise"
            return {
                "op": kind,
                "strides": list(layer.strides),
                "pads": _pads(layer.pads(shapes[0])),
                "activation": layer.activation,
            }
        case layers.MaxPooling() | layers.AveragePooling():
            kind = "max_pool" if isinstance(layer, layers.MaxPooling) else "average_pool"
            return {
                "op": kind,
                "size": list(layer.size),
                "strides": list(layer.strides),
                "pads": _pads(layer.pads(shapes[0])),
            }
        case layers.GlobalAveragePooling():
            return {"op": "global_average"}
        case layers.GlobalMaxPooling():
            return {"op": "global_max"}
        case layers.Flatten():
            return {"op": "flatten"}
        case layers.Add():
            return {"op": "add"}
        case layers.Concatenate():
            return {"op": "concatenate"}
        case layers.Dense():
            return {"op": "dense", "activation": layer.activation}
        case layers.Activation():
            return {"op": "activation", "activation": layer.activation}
        case _:
            raise CatsdogsError(
                f"layer {layer.name} ({type(layer).__name__}) cannot be computed by a page"
            )


def _pads(pads: layers.Pads) -> list[list[int]]:
    return [[pads.top, pads.bottom], [pads.left, pads.right]]


def _packed(
    arrays: Sequence[tuple[np.ndarray, np.ndarray]],
) -> tuple[list[dict[str, Any]], bytes]:
    """All arrays in one run of bytes, and where each of them begins."""
    table: list[dict[str, Any]] = []
    content = bytearray()
    for values, scales in arrays:
        table.append(
            {
                "dtype": values.dtype.name,
                "shape": list(values.shape),
                "offset": len(content),
                **({"scales": scales.tolist()} if scales.size else {}),
            }
        )
        content += values.astype(values.dtype.newbyteorder("<")).tobytes()
        content += bytes(-len(content) % _ALIGNMENT)
    return table, bytes(content)
