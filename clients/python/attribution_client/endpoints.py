"""Every operation of the API, one line each; ``Client`` answers, ``AsyncClient`` is awaited.

A new report is ``name = Endpoint(table(path, Answer, parameters))``.
"""

from __future__ import annotations

from typing import Final

from attribution_client import asks, managing
from attribution_client import parameters as asked
from attribution_client.endpoint import Endpoint, Pages
from attribution_client.models import analytics, attribution, fits, paths
from attribution_client.parameters import budget, compared, paged, period, series, sums, table

_ANALYTICS: Final = "/api/v1/analytics"
_top_paths = table(f"{_ANALYTICS}/top-paths", paths.TopPathsReport, asked.paths)
_campaigns = table(f"{_ANALYTICS}/campaign-performance", analytics.CampaignReport, paged)


class Endpoints:
    """Methods that both clients have."""

    health = Endpoint(asks.health)
    ready = Endpoint(asks.ready)

    models = Endpoint(asks.models)
    calculate = Endpoint(asks.calculate)
    calculate_batch = Endpoint(asks.calculate_batch)
    results = Endpoint(asks.results)
    each_result = Pages(asks.results, lambda page: page.results)
    explain = Endpoint(asks.explain)
    data_driven = Endpoint(asks.data_driven)
    compare = Endpoint(table("/api/v1/attribution/compare", attribution.ModelComparison, compared))

    channel_performance = Endpoint(table(f"{_ANALYTICS}/channel-performance", analytics.ChannelReport, sums))
    campaign_performance = Endpoint(_campaigns)
    each_campaign = Pages(_campaigns, lambda page: page.campaigns)
    roi = Endpoint(table(f"{_ANALYTICS}/roi", analytics.RoiReport, period))
    budget = Endpoint(table(f"{_ANALYTICS}/budget", fits.BudgetPlan, budget))
    lift = Endpoint(table(f"{_ANALYTICS}/lift", fits.LiftCalibration, asked.lift))
    lift_tests = Endpoint(asks.lift_tests)
    record_lift_tests = Endpoint(asks.record_lift_tests)
    drop_lift_test = Endpoint(asks.drop_lift_test)
    timeseries = Endpoint(table(f"{_ANALYTICS}/timeseries", analytics.Timeseries, series))
    top_paths = Endpoint(_top_paths)
    each_path = Pages(_top_paths, lambda page: page.paths)
    path_length = Endpoint(table(f"{_ANALYTICS}/path-length", paths.PathLengthReport, asked.lengths))
    time_lag = Endpoint(table(f"{_ANALYTICS}/time-lag", paths.TimeLagReport, asked.conversions))
    assisted_conversions = Endpoint(table(f"{_ANALYTICS}/assisted-conversions", paths.AssistsReport, asked.conversions))
    conversion_funnel = Endpoint(table(f"{_ANALYTICS}/conversion-funnel", paths.ConversionFunnel, asked.funnel))
    unattributed = Endpoint(table(f"{_ANALYTICS}/unattributed", paths.UnattributedReport, asked.reasons))
    customer_journey = Endpoint(asks.customer_journey)
    each_journey_event = Pages(asks.customer_journey, lambda page: page.events)

    run_entry = Endpoint(asks.run)
    runs = Endpoint(asks.runs)
    compare_runs = Endpoint(asks.compare_runs)
    promote = Endpoint(asks.promote)
    begin_run = Endpoint(managing.begin_run)
    cancel_run = Endpoint(managing.cancel_run)
    drop_run = Endpoint(managing.drop_run)
    run_difference = Endpoint(managing.run_difference)

    data_status = Endpoint(asks.data_status)
    send_touchpoints = Endpoint(asks.send_touchpoints)
    send_conversions = Endpoint(asks.send_conversions)
    send_spend = Endpoint(asks.send_spend)
    send_identities = Endpoint(asks.send_identities)
    erase = Endpoint(asks.erase)
    dead_letters = Endpoint(managing.dead_letters)
    each_dead_letter = Pages(managing.dead_letters, lambda page: page.letters)
    dead_letter = Endpoint(managing.dead_letter)
    retry_dead_letters = Endpoint(managing.retry_dead_letters)

    who = Endpoint(asks.who)
    token = Endpoint(asks.token)
    login = Endpoint(asks.login)
    refresh = Endpoint(asks.refresh)
    logout = Endpoint(asks.logout)
    keys = Endpoint(asks.keys)
    create_key = Endpoint(asks.create_key)
    revoke_key = Endpoint(asks.revoke_key)
    users = Endpoint(managing.users)
    create_user = Endpoint(managing.create_user)
    change_user = Endpoint(managing.change_user)
