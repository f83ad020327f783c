-- Campaigns that earned most under the model, beside the period before; campaigns of a channel add up to the channel.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT
    channel,
    if(campaign = '', '(none)', campaign) AS campaign,
    toFloat64(ifNull(sumIf(v, is_now), 0)) / 1e6 AS revenue,
    revenue / nullIf(toFloat64(ifNull(sumIf(v, NOT is_now), 0)) / 1e6, 0) - 1 AS revenue_change,
    sumIf(c, is_now) AS conversions,
    toFloat64(ifNull(sumIf(s, is_now), 0)) / 1e6 AS spend,
    revenue / nullIf(spend, 0) AS roas,
    nullIf(spend, 0) / nullIf(conversions, 0) AS cpa,
    sumIf(clicks, is_now) AS clicks,
    spend / nullIf(clicks, 0) AS cost_per_click
FROM
(
    SELECT
        channel, campaign, day >= first_day AS is_now, value_micros AS v, toInt256(0) AS s, conversions AS c, 0 AS clicks
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

    SELECT channel, campaign, day >= first_day, toInt256(0), spend_micros, 0., spend_in.clicks
    FROM spend_in(
        start = earlier_day,
        end = last_day,
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)
)
GROUP BY channel, campaign
HAVING revenue != 0 OR spend != 0 OR conversions != 0
ORDER BY revenue DESC, channel, campaign
LIMIT 500
