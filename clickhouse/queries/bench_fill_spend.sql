-- Spend per day, channel and campaign, and an exchange rate per day for the two other currencies.
-- start   first day
-- days    how many
INSERT INTO spend (event_id, spend_date, channel, campaign, cost_micros, currency, impressions, clicks, received_at, version)
SELECT
    concat('s', toString(number)), {start:Date} + intDiv(number, 60),
    ['paid_search', 'organic_search', 'direct', 'email', 'paid_social', 'organic_social', 'display',
     'affiliate', 'referral', 'video', 'sms', 'push'][1 + intDiv(number % 60, 5) AS c],
    concat('campaign-', toString(intDiv(number % 60, 5)), '-', toString(number % 5)),
    1000000 * (100 + sipHash64(number) % 900), 'USD', 1000, 50, now64(6), 1
FROM numbers(60 * {days:UInt64})
