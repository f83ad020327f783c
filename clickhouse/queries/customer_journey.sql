-- The events of a customer as they were sent, oldest first.
-- A row that was delivered several times is there once: the newest by received_at. So FINAL is not needed, which would
-- merge whole granules of every month for a few rows.
-- customer_id   journey key
-- limit         most events to return; the newest are kept
SELECT *
FROM
(
    SELECT *
    FROM
    (
        SELECT
            'touchpoint' AS kind, event_id, occurred_at, toString(channel) AS channel, campaign,
            toString(touch_type) AS touch_type, toString(source) AS source, toString(medium) AS medium, cost_micros,
            '' AS conversion_type, '' AS conversion_id, '' AS order_id, '' AS status, '' AS adjusts,
            toInt64(0) AS value_micros, toString(currency) AS currency
        FROM touchpoints
        WHERE customer_id = {customer_id:String}
        ORDER BY received_at DESC
        LIMIT 1 BY occurred_at, event_id

        UNION ALL

        SELECT
            'conversion', event_id, occurred_at, '', '', '', '', '', toInt64(0),
            toString(conversion_type), conversion_id, order_id, toString(status), adjusts, value_micros,
            toString(currency)
        FROM conversions
        WHERE customer_id = {customer_id:String}
        ORDER BY received_at DESC
        LIMIT 1 BY occurred_at, event_id
    )
    ORDER BY occurred_at DESC, event_id DESC, kind DESC
    LIMIT {limit:UInt32}
)
ORDER BY occurred_at, event_id, kind
SETTINGS max_threads = 1
