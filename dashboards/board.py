"""A dashboard being put together: panels in rows, with ids and places, and what all dashboards have in common."""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from dashboards import variables

TAG: Final = "attribution"
_COLUMNS: Final = 24


class Board:
    """Rows from top to bottom.

    Args:
        uid: of the dashboard, part of its address.
        title: of the dashboard.
        description: for whom it is and what it shows.
        since: the beginning of its time range, like ``now-29d/d``.
        refresh: how often it asks anew.
        links: roots of the API and the web UI.
    """

    def __init__(
        self, uid: str, title: str, description: str, *, since: str, refresh: str, links: tuple[str, str]
    ) -> None:
        self._builder = (
            dashboard.Dashboard(title)
            .uid(uid)
            .description(description)
            .tags([TAG])
            .time(since, "now")
            .refresh(refresh)
            .timezone("utc")
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .readonly()
        )
        self._builder.links([_Others()])
        for variable in variables.shared(*links):
            self._builder.with_variable(variable)
        self._id, self._y = 0, 0

    def row(self, height: int, *panels: tuple[int, Any]) -> None:
        """Panels side by side, each with its width; together they fill the 24 columns.

        Raises:
            ValueError: they do not.
        """
        if sum(width for width, _ in panels) != _COLUMNS:
            raise ValueError(f"row at {self._y}: widths {[w for w, _ in panels]} do not add up to {_COLUMNS}")
        x = 0
        for width, panel in panels:
            self._id += 1
            panel.id(self._id).grid_pos(models.GridPos(h=height, w=width, x=x, y=self._y))
            panel.datasource(variables.common_ref())
            self._builder.with_panel(panel)
            x += width
        self._y += height

    def folded(self, title: str, height: int, variable: Any, *panels: tuple[int, Any]) -> None:
        """A row that opens on demand, with panels of another datasource; they fill lines of 24 columns."""
        self._builder.with_variable(variable)
        self._id += 1
        row = dashboard.Row(title).id(self._id).grid_pos(models.GridPos(h=1, w=_COLUMNS, x=0, y=self._y))
        x, y = 0, self._y + 1
        for width, panel in panels:
            if x + width > _COLUMNS:
                x, y = 0, y + height
            self._id += 1
            row.with_panel(panel.id(self._id).grid_pos(models.GridPos(h=height, w=width, x=x, y=y)))
            x += width
        self._builder.with_row(row)
        self._y = y + height

    def build(self) -> models.Dashboard:
        """The dashboard."""
        return self._builder.build()


class _Others(dashboard.DashboardLink):
    """The way to the other dashboards, with what is chosen here."""

    def __init__(self) -> None:
        super().__init__("Attribution")
        self.type(models.DashboardLinkType.DASHBOARDS).tags([TAG]).include_vars(True).keep_time(True)
        self.icon("external link").as_dropdown(False)

    def build(self) -> models.DashboardLink:
        """Shown at the top; the SDK would put it into a menu."""
        link = super().build()
        vars(link)["placement"] = None
        return link
