-- start, end: days; model: its id; currency: of the answer; conversion_type: '' for all;
-- basis: conversion_day or touch_day; max_age_days: oldest exchange rate that counts
SELECT
    channel,
    sumIf(conversions, is_usable) AS conversions,
    sum(value_micros) / 1e6 AS revenue,
    sum(spend_micros) / 1e6 AS spend,
    revenue / nullIf(spend, 0) AS roas,
    (revenue - spend) / nullIf(spend, 0) AS roi
FROM channel_performance_in(
    start = {start:Date},
    end = {end:Date},
    model = {model:String},
    currency = {currency:String},
    conversion_type = {conversion_type:String},
    basis = {basis:String},
    max_age_days = {max_age_days:UInt16}
)
GROUP BY channel
ORDER BY revenue DESC
