-- What a kept database holds.
-- start   first day
SELECT count() AS conversions, max(toDate(occurred_at)) AS newest FROM conversions WHERE toDate(occurred_at) >= {start:Date}
