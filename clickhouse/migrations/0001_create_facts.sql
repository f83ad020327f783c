-- Raw facts as they were sent, one row per event id. For journeys, funnels, training and the SQL cross-check.
-- Read with FINAL: a row that was delivered twice is there twice until parts are merged.

CREATE TABLE IF NOT EXISTS touchpoints
(
    event_id     String,
    customer_id  String,
    occurred_at  DateTime64(6, 'UTC'),
    channel      LowCardinality(String),
    campaign     String DEFAULT '',
    touch_type   LowCardinality(String),
    source       LowCardinality(String) DEFAULT '',
    medium       LowCardinality(String) DEFAULT '',
    content      String DEFAULT '',
    term         String DEFAULT '',
    platform     LowCardinality(String) DEFAULT '',
    campaign_id  String DEFAULT '',
    ad_group_id  String DEFAULT '',
    ad_id        String DEFAULT '',
    click_ids    Map(LowCardinality(String), String),
    page_url     String DEFAULT '',
    referrer     String DEFAULT '',
    session_id   String DEFAULT '',
    cost_micros  Int64 DEFAULT 0,
    currency     LowCardinality(String) DEFAULT '',
    country      LowCardinality(String) DEFAULT '',
    device_type  LowCardinality(String) DEFAULT '',
    properties   Map(LowCardinality(String), String),
    received_at  DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (customer_id, occurred_at, event_id);

-- Corrections (refunds, cancellations, restatements) are events of their own; conversion_id says what they belong to.
CREATE TABLE IF NOT EXISTS conversions
(
    event_id         String,
    customer_id      String,
    occurred_at      DateTime64(6, 'UTC'),
    conversion_type  LowCardinality(String),
    order_id         String DEFAULT '',
    value_micros     Int64 DEFAULT 0,
    currency         LowCardinality(String) DEFAULT '',
    status           LowCardinality(String),
    adjusts          String DEFAULT '',
    properties       Map(LowCardinality(String), String),
    received_at      DateTime64(6, 'UTC'),
    conversion_id    String ALIAS if(order_id = '', event_id, concat(conversion_type, ':', order_id))
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (customer_id, occurred_at, event_id);

-- A later event of the same (day, channel, campaign, source) replaces; currency is no part of the key,
-- so a restatement in another currency replaces as well. version = arrival, made unique by the offset.
CREATE TABLE IF NOT EXISTS spend
(
    event_id     String,
    spend_date   Date,
    channel      LowCardinality(String),
    campaign     String DEFAULT '',
    campaign_id  String DEFAULT '',
    source       LowCardinality(String) DEFAULT '',
    cost_micros  Int64,
    currency     LowCardinality(String),
    impressions  UInt64 DEFAULT 0,
    clicks       UInt64 DEFAULT 0,
    received_at  DateTime64(6, 'UTC'),
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(spend_date)
ORDER BY (spend_date, channel, campaign, source);
