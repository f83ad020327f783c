-- A dashboard's comparison: what each channel earned under each model.
-- start, end   Date, both inclusive
SELECT toString(model) AS model, toString(channel) AS channel, sum(value_micros) AS value_micros
FROM credits_by_day
WHERE day BETWEEN {start:Date} AND {end:Date}
GROUP BY model, channel
ORDER BY model, channel
SETTINGS max_threads = 1
