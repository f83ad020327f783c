-- start, end: days of the first step; window_days: how long after it the purchase may come.
-- Any touch, then a purchase; links between ids and corrections are left out here.
SELECT
    countIf(level >= 1) AS touched,
    countIf(level >= 2) AS bought,
    bought / touched AS rate
FROM
(
    SELECT
        customer_id,
        windowFunnel({window_days:UInt32} * 86400)(
            toDateTime(occurred_at), is_touch AND toDate(occurred_at) BETWEEN {start:Date} AND {end:Date}, NOT is_touch
        ) AS level
    FROM
    (
        SELECT customer_id, occurred_at, true AS is_touch FROM touchpoints FINAL
        UNION ALL
        SELECT customer_id, occurred_at, false AS is_touch FROM conversions FINAL WHERE conversion_type = 'purchase'
    )
    GROUP BY customer_id
)
