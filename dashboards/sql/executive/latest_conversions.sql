-- The newest conversions of the last two days of the period, in the currency they were paid in. A click on the id explains every credit. Reads the journeys of two days.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT
    converted_at AS time,
    conversion_id,
    conversion_type AS type,
    toFloat64(value_micros) / 1e6 AS value,
    currency,
    touches,
    if(touches = 0, 'unattributed', channels[indexOf(of_model, arrayMax(of_model))]) AS most_credit
FROM
(
    SELECT
        converted_at, conversion_id, conversion_type, value_micros, currency, touches, channels,
        arrayMap(of_touch -> of_touch[indexOf(models, ${model:sqlstring})], weights) AS of_model
    FROM journeys_in(
        run_id = ${run:sqlstring},
        start = last_day - 1,
        end = last_day,
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
    )
    WHERE $__conditionalAll(hasAny(channels, [${channel:sqlstring}]), $channel)
      AND $__conditionalAll(hasAny(campaigns, [${campaign:sqlstring}]), $campaign)
    ORDER BY converted_at DESC, conversion_id
    LIMIT 50
)
ORDER BY time DESC, conversion_id
