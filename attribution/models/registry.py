"""Every model of the product: its public id, rule, formula and parameters. The one place where ids are given.

In the formulas ``n`` is the number of eligible touches and ``w_i`` the weight of the i-th in order, from 1.
"""

from __future__ import annotations

from typing import Final

from attribution.errors import UnknownModelError
from attribution.models import milestones, rules
from attribution.models.base import Model

MODELS: Final = (
    Model("first_touch", "Everything to the first touch.", "w_1 = 1", rules.first_touch),
    Model("last_touch", "Everything to the last touch.", "w_n = 1", rules.last_touch),
    Model(
        "last_non_direct",
        "Everything to the last touch whose channel is not direct; to the last touch if all are direct.",
        "w_k = 1, k = max{i : channel_i is not direct}, else n",
        rules.last_non_direct,
        parameters=("direct_channels",),
    ),
    Model("linear", "The same share to every touch.", "w_i = 1/n", rules.linear),
    Model(
        "time_decay",
        "A touch one half-life older gets half as much; continuous, no steps.",
        "w_i = 2^(-(t_n - t_i)/h) / sum_j 2^(-(t_n - t_j)/h)",
        rules.time_decay,
        parameters=("half_life_days",),
        reads_times=True,
    ),
    Model(
        "u_shaped",
        "40 % to the first touch, 40 % to the last, 20 % shared by those between; two touches share equally.",
        "w_1 = w_n = 0.4, w_i = 0.2/(n-2); n = 2: 1/2 each",
        rules.u_shaped,
        aliases=("position_based",),
    ),
    Model(
        "w_shaped",
        "30 % each to the first, the lead and the opportunity touch; 10 % shared by the others.",
        "w = 0.3 per role (first, lead, opportunity), roles on one touch add; 0.1/k for each of k others",
        milestones.w_shaped,
        needs_milestone=True,
        fallback="u_shaped",
    ),
    Model(
        "full_path",
        "22.5 % each to the first, the lead, the opportunity and the closing touch; 10 % shared by the others.",
        "w = 0.225 per role (first, lead, opportunity, close), roles on one touch add; 0.1/k for each of k others",
        milestones.full_path,
        needs_milestone=True,
        fallback="u_shaped",
    ),
    Model(
        "j_shaped",
        "20 % to the first touch, 60 % to the last, 20 % shared by those between.",
        "w_1 = 0.2, w_n = 0.6, w_i = 0.2/(n-2); n = 2: 1/4, 3/4",
        rules.j_shaped,
    ),
    Model(
        "inverse_j",
        "60 % to the first touch, 20 % to the last, 20 % shared by those between.",
        "w_1 = 0.6, w_n = 0.2, w_i = 0.2/(n-2); n = 2: 3/4, 1/4",
        rules.inverse_j,
    ),
    Model(
        "custom",
        "Your own shares for the first touch, those between and the last; a role without a touch is dropped.",
        "w_1 = f/s, w_i = m/((n-2)s), w_n = l/s, s = f+m+l; n = 2: f/(f+l), l/(f+l)",
        rules.custom,
        parameters=("custom_weights",),
    ),
    Model(
        "data_driven",
        "To each touch the effect of its channel, fitted to journeys that convert and journeys that do not.",
        "w_i = e(channel_i) / sum_j e(channel_j), e = removal effect or Shapley value of the fit in force",
        rules.data_driven,
        needs_fit=True,
    ),
)

_BY_NAME: Final = {name: model for model in MODELS for name in (model.model_id, *model.aliases)}


def resolve(name: str) -> Model:
    """The model with this id or alias.

    Raises:
        UnknownModelError: there is none; the message lists the valid ids and aliases.
    """
    model = _BY_NAME.get(name) if isinstance(name, str) else None
    if model is None:
        raise UnknownModelError(name, _BY_NAME)
    return model


def model_names() -> tuple[str, ...]:
    """Every name that ``resolve`` knows: ids and aliases."""
    return tuple(_BY_NAME)


def model_ids() -> tuple[str, ...]:
    """Every public id, without aliases, in the order of the documentation."""
    return tuple(model.model_id for model in MODELS)
