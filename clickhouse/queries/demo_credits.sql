-- Credits of the live table: by channel and model, value in one currency. Parameters: models, currency.
SELECT
    channel,
    model,
    sum(value_micros) AS value_micros,
    sum(weight) AS conversions
FROM credits
WHERE has({models:Array(String)}, model) AND currency = {currency:String} AND conversion_type IN ('purchase', 'closed_won')
GROUP BY channel, model
ORDER BY channel, model
