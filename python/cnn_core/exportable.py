"""Methods of `MLP` that write the fitted net for other languages."""

from __future__ import annotations

from cnn_core.exportable_c import ExportableC
from cnn_core.fitted import Fitted


class Exportable(ExportableC, Fitted):
    """What takes a net out of Python."""
