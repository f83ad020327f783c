-- Each channel under the model: what it earned and cost, beside the period before. Ratios are those of the sums; empty where nothing was spent.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT
    channel,
    toFloat64(ifNull(sumIf(v, is_now), 0)) / 1e6 AS revenue,
    revenue / nullIf(toFloat64(ifNull(sumIf(v, NOT is_now), 0)) / 1e6, 0) - 1 AS revenue_change,
    revenue / nullIf(sum(revenue) OVER (), 0) AS revenue_share,
    sumIf(c, is_now) AS conversions,
    toFloat64(ifNull(sumIf(s, is_now), 0)) / 1e6 AS spend,
    revenue / nullIf(spend, 0) AS roas,
    (revenue - spend) / nullIf(spend, 0) AS roi,
    nullIf(spend, 0) / nullIf(conversions, 0) AS cpa,
    sumIf(t, is_now) AS touchpoints
FROM
(
    SELECT channel, day >= first_day AS is_now, value_micros AS v, toInt256(0) AS s, conversions AS c, touchpoints AS t
    FROM credits_in(
        run_id = ${run:sqlstring},
        start = earlier_day,
        end = last_day,
        models = [${model:sqlstring}],
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}]),
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)

    UNION ALL

    SELECT channel, day >= first_day, toInt256(0), spend_micros, 0., 0
    FROM spend_in(
        start = earlier_day,
        end = last_day,
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)
)
GROUP BY channel
HAVING revenue != 0 OR spend != 0 OR conversions != 0
ORDER BY revenue DESC, channel
