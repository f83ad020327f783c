-- Spend ready to be converted, as analytics_credits.
-- start, end    Date, both inclusive
-- currency      the reporting currency
-- bucket        'day', 'week' (from Monday), 'month', or '' for the whole period
-- by_campaign   1 keeps campaigns apart
SELECT
    multiIf(
        {bucket:String} = 'day', spend_date,
        {bucket:String} = 'week', toMonday(spend_date),
        {bucket:String} = 'month', toStartOfMonth(spend_date),
        {start:Date}
    ) AS shown,
    if(currency = {currency:String}, toDate(0), spend_date) AS rate_day,
    toString(channel) AS of_channel,
    if(currency = {currency:String} AND {by_campaign:UInt8} = 0, '', campaign) AS of_campaign,
    toString(currency) AS of_currency,
    sum(cost_micros) AS micros
FROM spend FINAL
WHERE spend_date BETWEEN {start:Date} AND {end:Date}
GROUP BY shown, rate_day, of_channel, of_campaign, of_currency
SETTINGS max_threads = 2, do_not_merge_across_partitions_select_final = 1
