-- Mean distance of two models, in shares of revenue by channel (total variation): 0 all agree, 1 no two of them have anything in common.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
, by_model AS
(
    SELECT model, mapFromArrays(groupArray(channel), groupArray(share)) AS shares
    FROM
    (
        SELECT channel, model, toFloat64(micros) / nullIf(toFloat64(sum(micros) OVER (PARTITION BY model)), 0) AS share
        FROM
        (
            SELECT channel, model, sum(value_micros) AS micros
            FROM credits_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        models = [],
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}]),
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)
            GROUP BY channel, model
        )
    )
    WHERE share IS NOT NULL
    GROUP BY model
)
SELECT avg(distance) AS disagreement
FROM
(
    SELECT
        a.model AS one, b.model AS other,
        arraySum(arrayMap(
            c -> abs(a.shares[c] - b.shares[c]), arrayDistinct(arrayConcat(mapKeys(a.shares), mapKeys(b.shares)))
        )) / 2 AS distance
    FROM by_model AS a
    CROSS JOIN by_model AS b
    WHERE a.model < b.model
)
