-- A dashboard's cohorts: credits at the day of their touch, beside that day's spend. Summed to what is shown before the
-- two are put side by side: half the work of the view channel_performance_by_touch_day, which keeps campaigns and currencies.
-- start, end   Date, both inclusive
-- model        public model id
SELECT shown AS day, toString(channel) AS channel, sum(v) AS value_micros, sum(s) AS spend_micros
FROM
(
    SELECT touch_day AS shown, channel, sum(value_micros) AS v, toInt64(0) AS s
    FROM credits_by_touch_day
    -- a touch is never after its conversion: days before start hold nothing
    WHERE model = {model:String} AND touch_day BETWEEN {start:Date} AND {end:Date} AND day >= {start:Date}
    GROUP BY shown, channel

    UNION ALL

    SELECT day, channel, toInt64(0), sum(spend_micros)
    FROM spend_by_day
    WHERE day BETWEEN {start:Date} AND {end:Date}
    GROUP BY day, channel
)
GROUP BY shown, channel
ORDER BY shown, channel
SETTINGS max_threads = 1
