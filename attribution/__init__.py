"""The pure core: types, money, journeys, models, channel rules, laws. No IO, no clock, no framework.

As a library: ``AttributionModelFactory`` and ``compare_attribution_models`` (``attribution.sdk``).
"""

from attribution import _compiled as _compiled  # decides which modules the lines below load
from attribution.errors import AttributionError, InvalidParameterError, InvalidTouchpointError, UnknownModelError
from attribution.sdk import (
    AttributionModel,
    AttributionModelFactory,
    AttributionResult,
    Credit,
    Touchpoint,
    compare_attribution_models,
)

__all__ = [
    "AttributionError",
    "AttributionModel",
    "AttributionModelFactory",
    "AttributionResult",
    "Credit",
    "InvalidParameterError",
    "InvalidTouchpointError",
    "Touchpoint",
    "UnknownModelError",
    "compare_attribution_models",
]
