-- Conversions in which a channel took part: as the first touch, as the last, or before the last (assist). Many assists for each last touch: last-touch reports hide the channel. Value of the conversions assisted, in full. Reads the journeys.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT
    channel,
    sum(firsts) AS first,
    sum(assisted) AS assists,
    sum(lasts) AS last,
    assists / nullIf(last, 0) AS assists_per_last,
    toFloat64(sumIf(micros, is_usable)) / 1e6 AS assisted_value
FROM
(
    SELECT
        channel, firsts, assisted, lasts,
        toInt256(amount) * if(g.currency = ${currency:sqlstring}, toInt256(1), fx.target_rate) AS product,
        if(g.currency = ${currency:sqlstring} OR fx.own_rate <= 0, toInt256(1), fx.own_rate) AS divisor,
        g.currency = ${currency:sqlstring} OR (fx.own_rate > 0 AND fx.target_rate > 0) AS is_usable,
        intDiv(product, divisor) AS whole,
        toInt256(abs(product - whole * divisor)) * 2 AS twice_rest,
        whole + if(twice_rest > divisor OR (twice_rest = divisor AND whole % 2 != 0), sign(product), 0) AS micros
    FROM
    (
        SELECT
            channel, currency,
            if(currency = ${currency:sqlstring}, toDate(0), day) AS rate_day,
            countIf(channel = channels[1]) AS firsts,
            countIf(channel = channels[-1]) AS lasts,
            countIf(indexOf(channels, channel) < touches) AS assisted,
            sumIf(value_micros, indexOf(channels, channel) < touches) AS amount
        FROM
        (
            SELECT day, currency, value_micros, touches, channels
            FROM journeys_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
    )
            WHERE $__conditionalAll(hasAny(channels, [${channel:sqlstring}]), $channel)
              AND $__conditionalAll(hasAny(campaigns, [${campaign:sqlstring}]), $campaign)
        )
        ARRAY JOIN arrayDistinct(channels) AS channel
        GROUP BY channel, currency, rate_day
    ) AS g
    LEFT JOIN rates_in(
        start = first_day,
        end = last_day,
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    ) AS fx ON fx.day = g.rate_day AND fx.currency = g.currency
)
GROUP BY channel
ORDER BY assists DESC, channel
