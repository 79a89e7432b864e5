"""Label maps between corpora: named, versioned files, each from the labels of every corpus to one label space."""

from vietmer_core.label_maps.named import (
    LabelMapError,
    NamedLabelMap,
    label_map,
    label_maps,
    label_space,
    named_label_map,
)

__all__ = ["LabelMapError", "NamedLabelMap", "label_map", "label_maps", "label_space", "named_label_map"]
