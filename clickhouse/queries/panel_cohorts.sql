-- A dashboard's cohorts: credits at the day of their touch, beside that day's spend.
-- start, end   Date, both inclusive
-- model        public model id
SELECT day, toString(channel) AS channel, sum(value_micros) AS value_micros, sum(spend_micros) AS spend_micros
FROM channel_performance_by_touch_day
WHERE model = {model:String} AND day BETWEEN {start:Date} AND {end:Date}
GROUP BY day, channel
ORDER BY day, channel
