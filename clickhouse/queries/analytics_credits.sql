-- Sums of the active run's credits by conversion day, ready to be converted: amounts of the reporting currency are
-- summed over days, others stay apart by what is rounded once: day, channel, campaign and currency.
-- start, end        Date, both inclusive
-- models            public model ids
-- currency          the reporting currency
-- conversion_type   '' for all types
-- bucket            'day', 'week' (from Monday), 'month', or '' for the whole period
-- by_campaign       1 keeps campaigns apart
SELECT
    toString(model) AS of_model,
    multiIf(
        {bucket:String} = 'day', day,
        {bucket:String} = 'week', toMonday(day),
        {bucket:String} = 'month', toStartOfMonth(day),
        {start:Date}
    ) AS shown,
    if(currency = {currency:String}, toDate(0), day) AS rate_day,
    toString(channel) AS of_channel,
    if(currency = {currency:String} AND {by_campaign:UInt8} = 0, '', campaign) AS of_campaign,
    toString(currency) AS of_currency,
    sumKahan(conversions) AS weight,
    sum(value_micros) AS micros,
    sum(touchpoints) AS touches
FROM credits_by_day
WHERE day BETWEEN {start:Date} AND {end:Date}
  AND model IN {models:Array(String)}
  AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
GROUP BY of_model, shown, rate_day, of_channel, of_campaign, of_currency
SETTINGS max_threads = 2
