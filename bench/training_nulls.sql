-- Journeys that end in nothing, beside `cli.bench_world`: one of 1 to 5 touches (mean 3) for each of `journeys` customers of
-- their own, minutes apart, a channel each, over the days of the world less the lookback.
INSERT INTO touchpoints (event_id, customer_id, occurred_at, channel, campaign, touch_type, received_at)
SELECT
    concat('null-', toString(number), '-', toString(i)),
    concat('stranger-', toString(number)),
    toDateTime64({start:Date}, 6, 'UTC') + toIntervalSecond(h % (86400 * {days:UInt32})) + toIntervalMinute(i) AS at,
    ['paid_search', 'organic_search', 'direct', 'email', 'paid_social', 'organic_social', 'display', 'affiliate',
     'referral', 'video', 'sms', 'push'][1 + sipHash64(number, i) % 12],
    '',
    'click',
    at
FROM
(
    SELECT number, sipHash64(number, 'null') AS h, arrayJoin(range(1, 2 + intDiv(h, 1000) % 5)) AS i
    FROM numbers({journeys:UInt64})
)
