-- analytics_credits by the day of the touch. Rates are those of the conversion's day; an amount is rounded once per day of
-- the touch, too.
-- start, end        days of the touch, Date, both inclusive
-- models            public model ids
-- currency          the reporting currency
-- conversion_type   '' for all types
-- bucket            'day', 'week' (from Monday), 'month', or '' for the whole period
-- by_campaign       1 keeps campaigns apart
SELECT
    toString(model) AS of_model,
    multiIf(
        {bucket:String} = 'day', touch_day,
        {bucket:String} = 'week', toMonday(touch_day),
        {bucket:String} = 'month', toStartOfMonth(touch_day),
        {start:Date}
    ) AS shown,
    if(currency = {currency:String}, toDate(0), day) AS rate_day,
    toString(channel) AS of_channel,
    if(currency = {currency:String} AND {by_campaign:UInt8} = 0, '', campaign) AS of_campaign,
    toString(currency) AS of_currency,
    sumKahan(conversions) AS weight,
    sum(value_micros) AS micros,
    sum(touchpoints) AS touches
FROM credits_by_touch_day
-- a touch is never after its conversion: days before start hold nothing
WHERE touch_day BETWEEN {start:Date} AND {end:Date} AND day >= {start:Date}
  AND model IN {models:Array(String)}
  AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
GROUP BY of_model, shown, rate_day, of_channel, of_campaign, of_currency,
    if(currency = {currency:String}, toDate(0), touch_day)
SETTINGS max_threads = 2
