-- The events of a customer as they were sent, oldest first, behind a position. At one instant touchpoints come first.
-- A row that was delivered several times is there once: the newest by received_at. So FINAL is not needed, which would
-- merge whole granules of every month for a few rows.
-- customer_id                      journey key
-- has_after                        0 for the first page
-- after_us, after_rank, after_id   last event of the page before: microseconds, 0 touchpoint or 1 conversion, event id
-- limit                            most events to return
SELECT kind, event_id, occurred_at, channel, campaign, touch_type, cost_micros,
       conversion_type, order_id, status, adjusts, value_micros, currency
FROM
(
    SELECT
        0 AS rank, 'touchpoint' AS kind, event_id, occurred_at, toString(channel) AS channel, campaign,
        toString(touch_type) AS touch_type, cost_micros, '' AS conversion_type, '' AS order_id, '' AS status,
        '' AS adjusts, toInt64(0) AS value_micros, toString(currency) AS currency
    FROM touchpoints
    WHERE customer_id = {customer_id:String}
    ORDER BY received_at DESC
    LIMIT 1 BY occurred_at, event_id

    UNION ALL

    SELECT
        1, 'conversion', event_id, occurred_at, '', '', '', toInt64(0),
        toString(conversion_type), order_id, toString(status), adjusts, value_micros, toString(currency)
    FROM conversions
    WHERE customer_id = {customer_id:String}
    ORDER BY received_at DESC
    LIMIT 1 BY occurred_at, event_id
)
WHERE {has_after:UInt8} = 0
   OR (toUnixTimestamp64Micro(occurred_at), rank, event_id) > ({after_us:Int64}, {after_rank:UInt8}, {after_id:String})
ORDER BY occurred_at, rank, event_id
LIMIT {limit:UInt32}
SETTINGS max_threads = 1
