-- The paths that converted most often; touches of one channel in a row are one step. Value is rounded once for each path, day and currency. Reads the journeys.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT
    if(path = '', '(no touch)', path) AS path,
    sum(n) AS conversions,
    conversions / sum(conversions) OVER () AS share,
    toFloat64(sumIf(micros, is_usable)) / 1e6 AS value,
    sum(all_touches) / conversions AS touches
FROM
(
    SELECT
        path, n, all_touches,
        toInt256(amount) * if(g.currency = ${currency:sqlstring}, toInt256(1), fx.target_rate) AS product,
        if(g.currency = ${currency:sqlstring} OR fx.own_rate <= 0, toInt256(1), fx.own_rate) AS divisor,
        g.currency = ${currency:sqlstring} OR (fx.own_rate > 0 AND fx.target_rate > 0) AS is_usable,
        intDiv(product, divisor) AS whole,
        toInt256(abs(product - whole * divisor)) * 2 AS twice_rest,
        whole + if(twice_rest > divisor OR (twice_rest = divisor AND whole % 2 != 0), sign(product), 0) AS micros
    FROM
    (
        SELECT
            arrayStringConcat(arrayCompact(channels), ' → ') AS path, currency,
            if(currency = ${currency:sqlstring}, toDate(0), day) AS rate_day,
            count() AS n, sum(value_micros) AS amount, sum(touches) AS all_touches
        FROM journeys_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
    )
        WHERE $__conditionalAll(hasAny(channels, [${channel:sqlstring}]), $channel)
          AND $__conditionalAll(hasAny(campaigns, [${campaign:sqlstring}]), $campaign)
        GROUP BY path, currency, rate_day
    ) AS g
    LEFT JOIN rates_in(
        start = first_day,
        end = last_day,
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    ) AS fx ON fx.day = g.rate_day AND fx.currency = g.currency
)
GROUP BY path
ORDER BY conversions DESC, path
LIMIT 25
