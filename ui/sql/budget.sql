-- start, end: days; model: its id; currency: that of the amounts. The points that the curves go through.
SELECT
    channel,
    toMonday(day) AS week,
    sum(spend_micros) / 1e6 AS spend,
    sum(value_micros) / 1e6 AS revenue
FROM channel_performance
WHERE day BETWEEN {start:Date} AND {end:Date}
  AND model = {model:String}
  AND currency = {currency:String}
GROUP BY channel, week
HAVING spend > 0
ORDER BY channel, week
