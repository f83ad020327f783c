-- What dashboards read: credits, spend and journeys of any run, amounts in one currency. As in channel_performance_in an
-- amount becomes amount * rate of the reporting currency / rate of its own, in whole numbers, rounded half to even once
-- per day, channel, campaign and currency; without both rates is_usable is 0 and the amount NULL: it belongs in no sum.
-- start, end          Date, both inclusive
-- models              empty for all
-- conversion_types    empty for all

-- Rates in units of 10^-18, exact: own_rate of a currency, target_rate of the reporting currency on the same day, 0 when
-- it has none. The last rates that are at most max_age_days old.
CREATE OR REPLACE VIEW rates_in AS
SELECT
    day,
    currency,
    toInt256(toDecimal256(rate, 18) * toDecimal256('1e18', 0)) AS own_rate,
    maxIf(own_rate, currency = {currency:String}) OVER (PARTITION BY day) AS target_rate
FROM fx_rates_by_day(start = {start:Date}, end = {end:Date}, max_age_days = {max_age_days:UInt16});

-- Credits at the day of their conversion.
CREATE OR REPLACE VIEW credits_in AS
SELECT
    day,
    model,
    channel,
    campaign,
    currency,
    is_usable,
    conversions,
    if(is_usable, rounded, NULL) AS value_micros,
    touchpoints
FROM
(
    SELECT
        g.day AS day, g.model AS model, g.channel AS channel, g.campaign AS campaign, g.currency AS currency,
        g.conversions AS conversions, g.touchpoints AS touchpoints,
        g.currency = {currency:String} AS is_same,
        is_same OR (fx.own_rate > 0 AND fx.target_rate > 0) AS is_usable,
        -- without rates any divisor will do, the result is not shown
        if(is_same OR NOT is_usable, toInt256(1), fx.own_rate) AS divisor,
        toInt256(g.amount) * if(is_same, toInt256(1), fx.target_rate) AS product,
        intDiv(product, divisor) AS whole,
        toInt256(abs(product - whole * divisor)) * 2 AS twice_rest,
        whole + if(twice_rest > divisor OR (twice_rest = divisor AND whole % 2 != 0), sign(product), 0) AS rounded
    FROM
    (
        SELECT
            day, toString(model) AS model, toString(channel) AS channel, campaign,
            toString(currency) AS currency,
            sumKahan(rollup_day.conversions) AS conversions,
            sum(rollup_day.value_micros) AS amount,
            sum(rollup_day.touchpoints) AS touchpoints
        FROM rollup_day
        WHERE run_id = {run_id:UInt32}
          AND day BETWEEN {start:Date} AND {end:Date}
          AND (empty({models:Array(String)}) OR has({models:Array(String)}, model))
          AND (empty({conversion_types:Array(String)}) OR has({conversion_types:Array(String)}, conversion_type))
        GROUP BY day, model, channel, campaign, currency
    ) AS g
    LEFT JOIN rates_in(
        start = {start:Date}, end = {end:Date}, currency = {currency:String}, max_age_days = {max_age_days:UInt16}
    ) AS fx ON fx.day = g.day AND fx.currency = g.currency
);

-- Credits at the day of their touch.
CREATE OR REPLACE VIEW touch_credits_in AS
SELECT
    day,
    model,
    channel,
    campaign,
    currency,
    is_usable,
    conversions,
    if(is_usable, rounded, NULL) AS value_micros,
    touchpoints
FROM
(
    SELECT
        g.touch_day AS day, g.model AS model, g.channel AS channel, g.campaign AS campaign, g.currency AS currency,
        g.conversions AS conversions, g.touchpoints AS touchpoints,
        g.currency = {currency:String} AS is_same,
        is_same OR (fx.own_rate > 0 AND fx.target_rate > 0) AS is_usable,
        -- without rates any divisor will do, the result is not shown
        if(is_same OR NOT is_usable, toInt256(1), fx.own_rate) AS divisor,
        toInt256(g.amount) * if(is_same, toInt256(1), fx.target_rate) AS product,
        intDiv(product, divisor) AS whole,
        toInt256(abs(product - whole * divisor)) * 2 AS twice_rest,
        whole + if(twice_rest > divisor OR (twice_rest = divisor AND whole % 2 != 0), sign(product), 0) AS rounded
    FROM
    (
        -- a touch is never after its conversion: partitions before start hold nothing
        SELECT
            touch_day, day AS rate_day, toString(model) AS model, toString(channel) AS channel, campaign,
            toString(currency) AS currency,
            sumKahan(rollup_touch_day.conversions) AS conversions,
            sum(rollup_touch_day.value_micros) AS amount,
            sum(rollup_touch_day.touchpoints) AS touchpoints
        FROM rollup_touch_day
        WHERE run_id = {run_id:UInt32}
          AND touch_day BETWEEN {start:Date} AND {end:Date}
          AND day >= {start:Date}
          AND (empty({models:Array(String)}) OR has({models:Array(String)}, model))
          AND (empty({conversion_types:Array(String)}) OR has({conversion_types:Array(String)}, conversion_type))
        GROUP BY touch_day, rate_day, model, channel, campaign, currency
    ) AS g
    LEFT JOIN rates_in(
        -- a conversion may be long after its touch
        start = {start:Date}, end = toDate('2149-06-06'), currency = {currency:String}, max_age_days = {max_age_days:UInt16}
    ) AS fx ON fx.day = g.rate_day AND fx.currency = g.currency
);

CREATE OR REPLACE VIEW spend_in AS
SELECT
    day,
    channel,
    campaign,
    currency,
    is_usable,
    if(is_usable, rounded, NULL) AS spend_micros,
    impressions,
    clicks
FROM
(
    SELECT
        g.day AS day, g.channel AS channel, g.campaign AS campaign, g.currency AS currency,
        g.impressions AS impressions, g.clicks AS clicks,
        g.currency = {currency:String} AS is_same,
        is_same OR (fx.own_rate > 0 AND fx.target_rate > 0) AS is_usable,
        if(is_same OR NOT is_usable, toInt256(1), fx.own_rate) AS divisor,
        toInt256(g.amount) * if(is_same, toInt256(1), fx.target_rate) AS product,
        intDiv(product, divisor) AS whole,
        toInt256(abs(product - whole * divisor)) * 2 AS twice_rest,
        whole + if(twice_rest > divisor OR (twice_rest = divisor AND whole % 2 != 0), sign(product), 0) AS rounded
    FROM
    (
        SELECT
            day, toString(channel) AS channel, campaign, toString(currency) AS currency,
            spend_micros AS amount, impressions, clicks
        FROM spend_by_day
        WHERE day BETWEEN {start:Date} AND {end:Date}
    ) AS g
    LEFT JOIN rates_in(
        start = {start:Date}, end = {end:Date}, currency = {currency:String}, max_age_days = {max_age_days:UInt16}
    ) AS fx ON fx.day = g.day AND fx.currency = g.currency
);

-- Conversions with their paths, one row each, amounts as they were sent. touches: 0 when no touch could claim it, and
-- then channels and campaigns are empty. weights: for each touch a list over models.
CREATE OR REPLACE VIEW journeys_in AS
SELECT
    toDate(converted_at) AS day,
    conversion_id,
    customer_id,
    toString(conversion_type) AS conversion_type,
    converted_at,
    value_micros,
    toString(currency) AS currency,
    `t.channel` = ['unattributed'] AND `t.id` = [''] AS is_unattributed,
    if(is_unattributed, 0, length(`t.id`)) AS touches,
    if(is_unattributed, [], CAST(`t.channel`, 'Array(String)')) AS channels,
    if(is_unattributed, [], `t.campaign`) AS campaigns,
    `t.at`[1] AS first_touch_at,
    `t.at`[-1] AS last_touch_at,
    CAST(models, 'Array(String)') AS models,
    `t.weights` AS weights,
    truncated
FROM attributions FINAL
WHERE run_id = {run_id:UInt32}
  AND converted_at >= toDateTime64({start:Date}, 6, 'UTC')
  AND converted_at < toDateTime64({end:Date}, 6, 'UTC') + INTERVAL 1 DAY
  AND (empty({conversion_types:Array(String)}) OR has({conversion_types:Array(String)}, conversion_type))
SETTINGS do_not_merge_across_partitions_select_final = 1;
