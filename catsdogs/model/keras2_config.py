"""Networks that Keras 2 saved: their configuration in the words of Keras 3."""

from typing import Any

_GONE_EVERYWHERE = ("module", "registered_name", "build_config", "compile_config")
"""What Keras 2.11 and later wrote beside a class, with modules that have moved since."""

_GONE_SETTINGS: dict[str, dict[str, Any]] = {
    "DepthwiseConv2D": {"groups": 1},
    "SeparableConv2D": {"groups": 1},
    "BatchNormalization": {"renorm": False, "virtual_batch_size": None, "fused": None},
}
"""Of layers; left out where they have the value that Keras 3 always computes with."""

_DOUBLE_SETTINGS = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
"""Of separable convolutions, which have two kernels with settings of their own."""


def is_keras2(version: str | None) -> bool:
    """Whether a file's `keras_version` is one before Keras 3; some were written by Keras 1."""
    return (version or "").startswith(("1.", "2."))


def as_keras3(item: Any) -> Any:
    """Translate a network's configuration, down to its innermost setting.

    Args:
        item: JSON values, not nested deeper than Python's stack.
    """
    if isinstance(item, list):
        return [as_keras3(part) for part in item]
    if not isinstance(item, dict):
        return item
    name, config = item.get("class_name"), item.get("config")
    if name in ("Policy", "DTypePolicy") and isinstance(config, dict):
        return config.get("name")
    item = {key: as_keras3(value) for key, value in item.items()}
    if not isinstance(name, str) or not isinstance(config, dict):
        return item
    if item.get("registered_name") in (None, name):
        item = {key: value for key, value in item.items() if key not in _GONE_EVERYWHERE}
    item["config"] = _settings(name, item["config"])
    return item


def _settings(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """The settings of one class, already translated below the first level."""
    gone: dict[str, Any] = _GONE_SETTINGS.get(name, {})
    config = {key: value for key, value in config.items() if key not in gone or value != gone[key]}
    if name == "SeparableConv2D":
        config = {key: value for key, value in config.items() if key not in _DOUBLE_SETTINGS}
    axis = config.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    for key in ("input_layers", "output_layers"):  # a list even where it is one
        ends = config.get(key)
        if isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list):
            config[key] = ends[0]
    return config
