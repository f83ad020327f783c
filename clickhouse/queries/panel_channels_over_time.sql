-- A dashboard's lines: revenue by day and channel.
-- start, end   Date, both inclusive
-- model        public model id
SELECT day, toString(channel) AS channel, sum(value_micros) AS value_micros, sum(conversions) AS conversions
FROM credits_by_day
WHERE model = {model:String} AND day BETWEEN {start:Date} AND {end:Date}
GROUP BY day, channel
ORDER BY day, channel
SETTINGS max_threads = 1
