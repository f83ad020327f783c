-- The events of a customer as they were sent, oldest first.
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
        FROM touchpoints FINAL
        WHERE customer_id = {customer_id:String}

        UNION ALL

        SELECT
            'conversion', event_id, occurred_at, '', '', '', '', '', toInt64(0),
            toString(conversion_type), conversion_id, order_id, toString(status), adjusts, value_micros,
            toString(currency)
        FROM conversions FINAL
        WHERE customer_id = {customer_id:String}
    )
    ORDER BY occurred_at DESC, event_id DESC, kind DESC
    LIMIT {limit:UInt32}
)
ORDER BY occurred_at, event_id, kind
