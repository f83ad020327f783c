-- Credits of the demo's live table: attributed value by channel and model. Parameters: models, currency.
SELECT
    channel,
    model,
    sum(value_micros) AS value_micros
FROM credits
WHERE has({models:Array(String)}, model) AND currency = {currency:String}
GROUP BY channel, model
ORDER BY channel, model
