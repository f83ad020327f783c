-- Days on which an amount of another currency cannot be converted, with the currencies whose rate is missing.
-- currency          the reporting currency
-- start, end        Date, both inclusive
-- fx_max_age_days   oldest rate that still counts
SELECT
    used.day AS day,
    used.currency AS currency,
    arrayFilter(
        name -> name != '',
        [if(own.rate > 0, '', used.currency), if(target.rate > 0, '', {currency:String})]
    ) AS lacking,
    used.has_credits AS has_credits,
    used.has_spend AS has_spend
FROM
(
    SELECT day, currency, max(is_credit) AS has_credits, max(NOT is_credit) AS has_spend
    FROM
    (
        SELECT DISTINCT day, toString(currency) AS currency, true AS is_credit FROM credits_by_day
        UNION ALL
        SELECT DISTINCT day, toString(currency), false FROM spend_by_day
    )
    WHERE currency != {currency:String} AND day BETWEEN {start:Date} AND {end:Date}
    GROUP BY day, currency
) AS used
LEFT JOIN fx_rates_by_day(
    start = {start:Date}, end = {end:Date}, max_age_days = {fx_max_age_days:UInt16}
) AS own ON own.day = used.day AND own.currency = used.currency
LEFT JOIN
(
    SELECT day, rate
    FROM fx_rates_by_day(start = {start:Date}, end = {end:Date}, max_age_days = {fx_max_age_days:UInt16})
    WHERE currency = {currency:String}
) AS target ON target.day = used.day
WHERE notEmpty(lacking)
ORDER BY currency, day
