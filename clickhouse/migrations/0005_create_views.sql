-- What everybody reads: the active run, deduplicated. A row's partition follows from its key,
-- so FINAL may work partition by partition.

CREATE OR REPLACE VIEW credits AS
SELECT
    run_id,
    model,
    conversion_id,
    customer_id,
    conversion_type,
    converted_at,
    currency,
    position,
    touchpoint_id,
    touched_at,
    channel,
    campaign,
    weight,
    credit_micros AS value_micros,
    rev
FROM
(
    SELECT
        run_id, model, conversion_id, customer_id, conversion_type, converted_at, currency, rev,
        `t.id` AS ids, `t.at` AS ats, `t.channel` AS channels, `t.campaign` AS campaigns,
        `t.weight` AS weights, `t.value_micros` AS micros
    FROM attributions FINAL
    WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
)
ARRAY JOIN
    arrayEnumerate(ids) AS position,
    ids AS touchpoint_id,
    ats AS touched_at,
    channels AS channel,
    campaigns AS campaign,
    weights AS weight,
    micros AS credit_micros
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- touchpoints counts the credited touches: 0 for a conversion that no touch can claim.
CREATE OR REPLACE VIEW conversions_attributed AS
SELECT
    run_id,
    model,
    conversion_id,
    customer_id,
    conversion_type,
    converted_at,
    value_micros,
    currency,
    `t.channel` AS path,
    if(path = ['unattributed'] AND `t.id` = [''], 0, length(`t.id`)) AS touchpoints,
    fallback,
    truncated,
    config_hash,
    rev,
    emitted_at
FROM attributions FINAL
WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW credits_by_day AS
SELECT run_id, day, model, channel, campaign, currency, conversion_type, conversions, value_micros, touchpoints
FROM rollup_day
WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run);

CREATE OR REPLACE VIEW spend_by_day AS
SELECT
    spend_date AS day,
    channel,
    campaign,
    currency,
    sum(cost_micros) AS spend_micros,
    sum(impressions) AS impressions,
    sum(clicks) AS clicks
FROM spend FINAL
GROUP BY day, channel, campaign, currency;

-- Credits and spend side by side, each where it exists: both lists are stacked and summed, so neither can
-- multiply the other. Spend is repeated for every model of the run: never add it up over models.
CREATE OR REPLACE VIEW channel_performance AS
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
    FROM credits_by_day

    UNION ALL

    SELECT day, model, channel, campaign, currency, toFloat64(0), toInt64(0), spend_micros, toUInt64(0)
    FROM spend_by_day
    CROSS JOIN
    (
        SELECT DISTINCT model FROM credits_by_day
        UNION DISTINCT
        SELECT arrayJoin(models) AS model
        FROM runs FINAL
        WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
    ) AS models
)
GROUP BY day, model, channel, campaign, currency;
