-- The biggest conversions of the period that have touches, in the currency they were paid in. A click on the id explains every credit. Reads the journeys.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT
    conversion_id,
    converted_at AS time,
    conversion_type AS type,
    toFloat64(value_micros) / 1e6 AS value,
    currency,
    touches,
    arrayStringConcat(arrayCompact(channels), ' → ') AS path
FROM journeys_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
    )
    WHERE $__conditionalAll(hasAny(channels, [${channel:sqlstring}]), $channel)
      AND $__conditionalAll(hasAny(campaigns, [${campaign:sqlstring}]), $campaign)
      AND touches > 0
ORDER BY value_micros DESC, conversion_id
LIMIT 20
