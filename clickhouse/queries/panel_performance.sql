-- A dashboard's table: what each channel and campaign earned and cost, by currency, from the view channel_performance.
-- start, end   Date, both inclusive
-- model        public model id
SELECT
    toString(channel) AS channel, campaign, toString(currency) AS currency,
    sum(value_micros) AS value_micros, sum(spend_micros) AS spend_micros, sum(touchpoints) AS touchpoints
FROM channel_performance
WHERE model = {model:String} AND day BETWEEN {start:Date} AND {end:Date}
GROUP BY channel, campaign, currency
ORDER BY value_micros DESC
