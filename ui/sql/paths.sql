-- start, end: days of the conversions. Every step is shown; any model has the same touches.
SELECT
    path,
    count() AS conversions,
    conversions / sum(conversions) OVER () AS share
FROM
(
    SELECT
        conversion_id,
        arrayStringConcat(arrayMap(p -> p.2, arraySort(groupArray((position, toString(channel))))), ' > ') AS path
    FROM credits
    WHERE toDate(converted_at) BETWEEN {start:Date} AND {end:Date}
      AND model = 'linear'
    GROUP BY conversion_id
)
GROUP BY path
ORDER BY conversions DESC, path
