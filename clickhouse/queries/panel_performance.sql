-- A dashboard's table: what each channel and campaign earned and cost, by currency. Summed to what is shown before the
-- two are put side by side: cheaper than the view channel_performance, which keeps days.
-- start, end   Date, both inclusive
-- model        public model id
SELECT
    toString(channel) AS channel, campaign, toString(currency) AS currency,
    sum(v) AS value_micros, sum(s) AS spend_micros, sum(t) AS touchpoints
FROM
(
    SELECT channel, campaign, currency, sum(value_micros) AS v, toInt64(0) AS s, sum(touchpoints) AS t
    FROM credits_by_day
    WHERE model = {model:String} AND day BETWEEN {start:Date} AND {end:Date}
    GROUP BY channel, campaign, currency

    UNION ALL

    SELECT channel, campaign, currency, toInt64(0), sum(spend_micros), toUInt64(0)
    FROM spend_by_day
    WHERE day BETWEEN {start:Date} AND {end:Date}
    GROUP BY channel, campaign, currency
)
GROUP BY channel, campaign, currency
ORDER BY value_micros DESC
SETTINGS max_threads = 1
