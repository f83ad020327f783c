-- Exchange rates, sums by the day of the touch, and performance in one currency.

-- rate = units of currency for 1 unit of base, as the ECB publishes them; one base per database, kept by the importer.
-- A rate imported later for the same day and currency replaces. Read through fx_rates_by_day.
CREATE TABLE IF NOT EXISTS fx_rates
(
    day          Date,
    currency     LowCardinality(String),
    rate         Decimal(38, 18),
    base         LowCardinality(String),
    source       LowCardinality(String) DEFAULT '',
    imported_at  DateTime64(6, 'UTC') DEFAULT now64(6),
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (day, currency);

-- Like rollup_day, and built with it; day is the conversion's day, by which it is swapped.
-- The unattributed credit has no touch: its touch_day is the conversion's day.
CREATE TABLE IF NOT EXISTS rollup_touch_day
(
    run_id           UInt32,
    day              Date,
    touch_day        Date,
    model            LowCardinality(String),
    channel          LowCardinality(String),
    campaign         String,
    currency         LowCardinality(String),
    conversion_type  LowCardinality(String),
    conversions      Float64,
    value_micros     Int64,
    touchpoints      UInt64
)
ENGINE = MergeTree
PARTITION BY (run_id, day)
ORDER BY (model, touch_day, channel, campaign, currency, conversion_type);

-- Days that were built before this table existed are built again.
INSERT INTO dirty_days (run_id, day) SELECT DISTINCT run_id, day FROM rollup_day;

CREATE OR REPLACE VIEW credits_by_touch_day AS
SELECT
    run_id, day, touch_day, model, channel, campaign, currency, conversion_type, conversions, value_micros, touchpoints
FROM rollup_touch_day
WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run);

-- channel_performance with the credits at the day of their touch, beside the spend of that day.
CREATE OR REPLACE VIEW channel_performance_by_touch_day AS
SELECT
    day,
    model,
    channel,
    campaign,
    currency,
    sumKahan(c) AS conversions,
    sum(v) AS value_micros,
    sum(s) AS spend_micros,
    sum(t) AS touchpoints
FROM
(
    SELECT
        touch_day AS day, model, channel, campaign, currency,
        conversions AS c, value_micros AS v, toInt64(0) AS s, touchpoints AS t
    FROM credits_by_touch_day

    UNION ALL

    SELECT day, model, channel, campaign, currency, toFloat64(0), toInt64(0), spend_micros, toUInt64(0)
    FROM spend_by_day
    CROSS JOIN
    (
        SELECT DISTINCT model FROM credits_by_touch_day
        UNION DISTINCT
        SELECT arrayJoin(models) AS model
        FROM runs FINAL
        WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
    ) AS models
)
GROUP BY day, model, channel, campaign, currency;

-- The rate of each currency on each day from start to end: the last one that is at most max_age_days old, else no row.
-- The base has the rate 1 on the days of the others.
CREATE OR REPLACE VIEW fx_rates_by_day AS
SELECT
    toDate(toInt32(published) + age) AS day,
    pair.1 AS currency,
    argMax(pair.2, published) AS rate,
    max(published) AS rate_day
FROM
(
    SELECT
        day AS published,
        arrayJoin([(toString(currency), rate), (toString(base), toDecimal128(1, 18))]) AS pair
    FROM fx_rates FINAL
    WHERE toInt32(day) + {max_age_days:UInt16} >= toInt32({start:Date}) AND day <= {end:Date}
)
ARRAY JOIN range(toUInt32({max_age_days:UInt16}) + 1) AS age
WHERE toInt32(published) + age BETWEEN toInt32({start:Date}) AND toInt32({end:Date})
GROUP BY day, currency;

-- Credits of one model and spend in one currency, by day (conversion_day or touch_day, as basis says), channel,
-- campaign and original currency. Credits take the rates of the conversion's day, spend those of its own.
-- An amount becomes amount * rate of the reporting currency / rate of its own, in whole numbers, rounded once per row,
-- half to even.
-- Without both rates is_usable is 0 and the amounts are NULL: such rows belong in no sum.
-- Amounts are Int256: a large sum in a small currency may pass 64 bits.
CREATE OR REPLACE VIEW channel_performance_in AS
SELECT
    day,
    channel,
    campaign,
    currency,
    is_usable,
    conversions,
    if(is_usable, rounded_value, NULL) AS value_micros,
    if(is_usable, rounded_spend, NULL) AS spend_micros,
    touchpoints
FROM
(
    SELECT
        g.day AS day, g.channel AS channel, g.campaign AS campaign, g.currency AS currency,
        g.conversions AS conversions, g.touchpoints AS touchpoints,
        g.currency = {currency:String} AS is_same,
        is_same OR (fx.rate > 0 AND fx.target_rate > 0) AS is_usable,
        -- a missing rate is 0 here: any divisor will do, the result is not shown
        if(
            is_same OR NOT is_usable, toInt256(1), toInt256(toDecimal256(fx.rate, 18) * toDecimal256('1e18', 0))
        ) AS divisor,
        if(is_same, toInt256(1), toInt256(toDecimal256(fx.target_rate, 18) * toDecimal256('1e18', 0))) AS factor,
        toInt256(g.value_micros) * factor AS value_product,
        toInt256(g.spend_micros) * factor AS spend_product,
        intDiv(value_product, divisor) AS value_whole,
        intDiv(spend_product, divisor) AS spend_whole,
        toInt256(abs(value_product - value_whole * divisor)) * 2 AS value_twice_rest,
        toInt256(abs(spend_product - spend_whole * divisor)) * 2 AS spend_twice_rest,
        value_whole + if(
            value_twice_rest > divisor OR (value_twice_rest = divisor AND value_whole % 2 != 0), sign(value_product), 0
        ) AS rounded_value,
        spend_whole + if(
            spend_twice_rest > divisor OR (spend_twice_rest = divisor AND spend_whole % 2 != 0), sign(spend_product), 0
        ) AS rounded_spend
    FROM
    (
        SELECT
            day, day AS rate_day, toString(channel) AS channel, campaign, toString(currency) AS currency,
            sumKahan(credits_by_day.conversions) AS conversions,
            sum(credits_by_day.value_micros) AS value_micros,
            toInt64(0) AS spend_micros,
            sum(credits_by_day.touchpoints) AS touchpoints
        FROM credits_by_day
        WHERE {basis:String} = 'conversion_day'
          AND day BETWEEN {start:Date} AND {end:Date}
          AND model = {model:String}
          AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
        GROUP BY day, channel, campaign, currency

        UNION ALL

        -- a touch is never after its conversion: partitions before start hold nothing
        SELECT
            touch_day, day AS rate_day, toString(channel) AS channel, campaign, toString(currency) AS currency,
            sumKahan(credits_by_touch_day.conversions),
            sum(credits_by_touch_day.value_micros),
            toInt64(0),
            sum(credits_by_touch_day.touchpoints)
        FROM credits_by_touch_day
        WHERE {basis:String} = 'touch_day'
          AND touch_day BETWEEN {start:Date} AND {end:Date}
          AND day >= {start:Date}
          AND model = {model:String}
          AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
        GROUP BY touch_day, day, channel, campaign, currency

        UNION ALL

        SELECT day, day, toString(channel), campaign, toString(currency), 0., toInt64(0), spend_micros, toUInt64(0)
        FROM spend_by_day
        WHERE day BETWEEN {start:Date} AND {end:Date}
    ) AS g
    LEFT JOIN
    (
        SELECT day, currency, rate, maxIf(rate, currency = {currency:String}) OVER (PARTITION BY day) AS target_rate
        -- a conversion may be long after its touch
        FROM fx_rates_by_day(
            start = {start:Date},
            end = if({basis:String} = 'touch_day', toDate('2149-06-06'), {end:Date}),
            max_age_days = {max_age_days:UInt16}
        )
    ) AS fx ON fx.day = g.rate_day AND fx.currency = g.currency
);
