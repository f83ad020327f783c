-- start, end: days; models: their ids; currency: that of the amounts, which are not converted here
SELECT
    channel,
    model,
    sum(value_micros) / 1e6 AS revenue,
    revenue / sum(revenue) OVER (PARTITION BY model) AS share
FROM channel_performance
WHERE day BETWEEN {start:Date} AND {end:Date}
  AND model IN {models:Array(String)}
  AND currency = {currency:String}
GROUP BY channel, model
ORDER BY channel, model
