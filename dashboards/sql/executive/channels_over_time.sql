-- Revenue of the eight channels that earned most in the period, by day; the others together.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT toDateTime(day, 'UTC') AS time, if(place <= 8, name, 'Others') AS channel, toFloat64(sum(micros)) / 1e6 AS revenue
FROM
(
    SELECT name, day, micros, dense_rank() OVER (ORDER BY of_channel DESC, name) AS place
    FROM
    (
        SELECT name, day, micros, sum(micros) OVER (PARTITION BY name) AS of_channel
        FROM
        (
            SELECT channel AS name, day, sum(value_micros) AS micros
            FROM credits_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        models = [${model:sqlstring}],
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}]),
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)
            GROUP BY name, day
        )
    )
)
GROUP BY time, channel
ORDER BY time, channel
