-- The two performance views with the models as one list: without a join, the condition on the day reaches the spend, and
-- planning is shorter. Columns and rows stay the same.

CREATE OR REPLACE VIEW channel_performance AS
WITH
    (SELECT argMax(run_id, switched_at) FROM active_run) AS active,
    (
        SELECT groupUniqArray(toString(name))
        FROM
        (
            SELECT DISTINCT model AS name FROM rollup_day WHERE run_id = active
            UNION ALL
            SELECT arrayJoin(models) FROM runs FINAL WHERE run_id = active
        )
    ) AS names
SELECT
    day,
    model,
    channel,
    campaign,
    currency,
    sumKahan(c) AS conversions,
    sum(v) AS value_micros,
    sum(s) AS spend_micros,
    sum(t) AS touchpoints
FROM
(
    SELECT
        day, model, channel, campaign, currency,
        conversions AS c, value_micros AS v, toInt64(0) AS s, touchpoints AS t
    FROM rollup_day
    WHERE run_id = active

    UNION ALL

    SELECT
        spend_date, arrayJoin(CAST(names, 'Array(LowCardinality(String))')), channel, campaign, currency,
        toFloat64(0), toInt64(0), cost_micros, toUInt64(0)
    FROM spend FINAL
)
GROUP BY day, model, channel, campaign, currency;

CREATE OR REPLACE VIEW channel_performance_by_touch_day AS
WITH
    (SELECT argMax(run_id, switched_at) FROM active_run) AS active,
    (
        SELECT groupUniqArray(toString(name))
        FROM
        (
            SELECT DISTINCT model AS name FROM rollup_day WHERE run_id = active
            UNION ALL
            SELECT arrayJoin(models) FROM runs FINAL WHERE run_id = active
        )
    ) AS names
SELECT
    day,
    model,
    channel,
    campaign,
    currency,
    sumKahan(c) AS conversions,
    sum(v) AS value_micros,
    sum(s) AS spend_micros,
    sum(t) AS touchpoints
FROM
(
    SELECT
        touch_day AS day, model, channel, campaign, currency,
        conversions AS c, value_micros AS v, toInt64(0) AS s, touchpoints AS t
    FROM rollup_touch_day
    WHERE run_id = active

    UNION ALL

    SELECT
        spend_date, arrayJoin(CAST(names, 'Array(LowCardinality(String))')), channel, campaign, currency,
        toFloat64(0), toInt64(0), cost_micros, toUInt64(0)
    FROM spend FINAL
)
GROUP BY day, model, channel, campaign, currency;
