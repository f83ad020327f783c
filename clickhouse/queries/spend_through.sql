-- The newest day up to a date for which each channel has reported spend. Without FINAL: a replaced row has the same day.
-- end   Date, inclusive
SELECT toString(channel) AS channel, max(spend_date) AS spend_through
FROM spend
WHERE spend_date <= {end:Date}
GROUP BY channel
