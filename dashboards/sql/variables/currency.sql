-- Currencies of credits and of exchange rates, the most frequent one first.
SELECT toString(name) AS currency
FROM
(
    SELECT currency AS name, count() AS n FROM rollup_day WHERE run_id = toUInt32(${run:sqlstring}) GROUP BY name
    UNION ALL
    SELECT arrayJoin([currency, base]) AS name, 0 FROM fx_rates GROUP BY name
)
WHERE name != ''
GROUP BY currency
ORDER BY sum(n) DESC, currency
